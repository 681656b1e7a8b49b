package otlptest_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func post(t *testing.T, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestMalformedExportIsRefusedAndReported(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/v1/traces", "/v1/metrics"} {
		r, err := otlptest.Listen()
		if err != nil {
			t.Fatal(err)
		}
		if got := post(t, r.URL()+path, "not protobuf"); got != http.StatusBadRequest {
			t.Errorf("%s answered %d, want 400", path, got)
		}
		if err := r.Close(); err == nil {
			t.Errorf("%s: close did not report the malformed export", path)
		}
	}
}

func TestReceiverStoresSpans(t *testing.T) {
	t.Parallel()
	r := otlptest.New(t)
	tel, shutdown, err := export.Setup(t.Context(), export.Options{Endpoint: r.URL()})
	if err != nil {
		t.Fatal(err)
	}
	_, span := telemetry.Start(telemetry.With(t.Context(), tel), telemetry.SpanView, telemetry.View("day-board"))
	span.End("")
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	spans := r.Spans()
	if len(spans) != 1 || spans[0].Name != "view.build" || spans[0].End.Before(spans[0].Start) {
		t.Errorf("received %v, want view.build alone", spans)
	}
	if !bytes.Contains(bytes.Join(r.Bodies(), nil), []byte("day-board")) {
		t.Error("the bodies do not contain the exported span")
	}
}
