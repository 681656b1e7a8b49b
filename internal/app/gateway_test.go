package app

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
	"github.com/workflow-bolt/rounds/tasks"
)

const apiKey = "rounds_KEY-OF-A-TEST"

// api is a running gateway and a client with a key.
type api struct {
	t      *testing.T
	url    string
	client *http.Client
}

// serve runs a gateway until the test ends or stop is called.
func (sys *system) serve(t *testing.T, change ...func(*GatewayOptions)) (a *api, stop func()) {
	t.Helper()
	o := GatewayOptions{Config: config.Gateway{
		Base: sys.settings, Addr: unusedAddress(t),
		Keys: []access.Key{{Name: "desk", Tenant: clinicA, Digest: access.DigestOf(apiKey)}},
	}}
	for _, c := range change {
		c(&o)
	}
	g, err := NewGateway(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	a = &api{t: t, url: "http://" + o.Config.Addr, client: &http.Client{Transport: transport}}
	stop = run(t, g.Run)
	eventually(t, func() error {
		if got := statusOf(t, a.url+"/openapi.json"); got != http.StatusOK {
			return fmt.Errorf("the gateway answers %d", got)
		}
		return nil
	})
	return a, stop
}

// do sends a request, a POST if it has a body. The caller closes the body of the response.
func (a *api) do(path, body string, headers ...string) *http.Response {
	a.t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp
}

// read is do with the body read.
func (a *api) read(path, body string, headers ...string) (status int, text []byte) {
	a.t.Helper()
	resp := a.do(path, body, headers...)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// A request for a cold board waits while a worker fetches it ahead of other tasks, and returns it.
func TestColdBoardIsBuiltWhileItsReaderWaits(t *testing.T) {
	t.Parallel()
	sys := build(t)
	sys.work(t)
	a, _ := sys.serve(t, func(o *GatewayOptions) { o.Limits.ColdWait = 30 * time.Second })
	status, body := a.read("/v1/practices/1/board", "")
	if status != http.StatusOK || bytes.Count(body, []byte(`"appointment":`)) != 6 {
		t.Errorf("%d %s", status, body)
	}
	if status, body := a.read("/v1/patients/987654321?practice=1", ""); status != http.StatusNotFound {
		t.Errorf("a patient that the vendor does not know: %d %s", status, body)
	}
}

// One request is one trace, from the caller's span through the gateway and the queue to the vendor
// call.
func TestOneTraceFromRequestToVendor(t *testing.T) {
	t.Parallel()
	sys := build(t)
	collector := otlptest.New(t)
	tools := sys.tools(t)
	stopWorker := sys.work(t, func(o *WorkerOptions) { o.Collector = collector.URL() })
	a, stop := sys.serve(t, func(o *GatewayOptions) { o.Collector = collector.URL() })
	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	day := tasks.DateOf(sys.today()).String()
	status, body := a.read("/v1/tasks", `{"kind":"schedule.sync","args":{"practice":"1","from":"`+day+`","to":"`+day+`"}}`,
		"Traceparent", "00-"+trace+"-"+parent+"-01")
	if status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	sys.board(t, tools, full(6))
	a.read("/v1/practices/1/board", "")
	stop()
	stopWorker()

	spans := collector.Spans()
	byID := map[string]otlptest.Span{}
	for _, s := range spans {
		byID[s.SpanID] = s
	}
	i := slices.IndexFunc(spans, func(s otlptest.Span) bool { return s.Name == "http.request" && s.TraceID == trace })
	if i < 0 || spans[i].ParentID != parent {
		t.Fatalf("none of %d spans is the request as a child of the caller's span", len(spans))
	}
	root := spans[i]
	want := map[string]string{"route": "create-task", "status": "202", "caller": "desk", "tenant": "clinic-a"}
	for key, value := range want {
		if got := root.Attributes[key]; got != value {
			t.Errorf("%s is %q, want %q", key, got, value)
		}
	}
	for _, name := range []string{"task.enqueue", "task.work", "vendor.call", "cache.fill"} {
		if !slices.ContainsFunc(spans, func(s otlptest.Span) bool { return s.Name == name && leadsTo(s, root, byID) == nil }) {
			t.Errorf("no %s descends from the request", name)
		}
	}
	for _, s := range spans {
		for key := range s.Attributes {
			if s.Service == "rounds-gateway" && !slices.Contains(append(allowed, "route", "status", "caller"), key) {
				t.Errorf("%s has the attribute %s", s.Name, key)
			}
		}
	}
	if len(collector.Points("rounds.requests")) == 0 || len(collector.Points("rounds.request.duration")) == 0 {
		t.Error("no request was counted")
	}
}

// exerciseGateway requests the planted patients through the gateway. Views return them; no other
// response and no event holds them.
func (p *planted) exerciseGateway(t *testing.T) {
	t.Helper()
	a, stop := p.serve(t, func(o *GatewayOptions) { o.Collector, o.Logger = p.collector.URL(), p.log })
	stream := a.do("/v1/events", "")
	streamed := make(chan []byte, 1)
	go func() {
		var all bytes.Buffer
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			all.Write(append(lines.Bytes(), '\n'))
		}
		streamed <- all.Bytes()
	}()
	shown := 0
	for _, path := range []string{
		"/v1/practices/1/board", "/v1/patients/" + p.goodID + "?practice=1", "/v1/providers/107/day?practice=1",
	} {
		if status, body := a.read(path, ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		} else if p.needles.In(body) {
			shown++
		}
	}
	if shown < 2 {
		t.Errorf("the planted patients are in %d of their views", shown)
	}
	quoted := `"` + goodFirst + " " + goodLast + `"`
	for _, ask := range [][2]string{
		{"/v1/tasks", `{"kind":"patient.sync","args":{"practice":"1","patient":"` + p.goodID + `"}}`},
		{"/v1/tasks", `{"kind":"patient.sync","args":{"practice":"99","patient":"` + p.goodID + `"}}`},
		{"/v1/tasks", `{"kind":"patient.sync","args":{"practice":"1","patient":` + quoted + `}}`},
		{"/v1/tasks", `{"kind":` + quoted + `,"args":{}}`},
		{"/v1/tasks", `{` + quoted + `:1}`},
		{"/v1/invalidations", `{"practice":"1","noun":"patient","id":"` + p.goodID + `"}`},
		{"/v1/invalidations", `{"practice":"1","noun":"patient","id":` + quoted + `}`},
		{"/v1/invalidations", `{"practice":` + quoted + `,"noun":"patient","id":"1"}`},
		{"/v1/patients/" + p.goodID + "?practice=99", ""},
		{"/v1/patients/" + goodFirst + "?practice=1", ""},
		{"/v1/tasks/" + goodFirst, ""},
		{"/" + goodFirst + "/" + goodLast, ""},
		{"/v1/practices/1/board?" + goodLast + "=1", ""},
		{"/v1/practices/1/board?date=" + goodLast, ""},
		{"/problems/" + goodLast, ""},
	} {
		if status, body := a.read(ask[0], ask[1], "Idempotency-Key", ""); p.needles.In(body) || status == 0 {
			t.Errorf("%s %s: %d %s", ask[0], ask[1], status, body)
		}
	}
	if status, body := a.read("/v1/tasks", `{"kind":"directory.sync","args":{"practice":"1"}}`, "Idempotency-Key", goodFirst+" "+goodLast); status != http.StatusAccepted || p.needles.In(body) {
		t.Errorf("a name as an idempotency key: %d %s", status, body)
	}
	stop() // ends the stream and exports the remaining spans
	if all := <-streamed; !bytes.Contains(all, []byte("entity.invalidated")) || p.needles.In(all) {
		t.Errorf("the stream delivered %s", all)
	}
	_ = stream.Body.Close()
}

func TestNewGatewayRefuses(t *testing.T) {
	t.Parallel()
	sys := build(t)
	o := GatewayOptions{Config: config.Gateway{Base: sys.settings}}
	if _, err := NewGateway(t.Context(), o); err == nil {
		t.Error("a gateway without callers is accepted")
	}
	o.Config.Redis.Cache = secret.Value("redis://" + unusedAddress(t))
	if _, err := NewGateway(t.Context(), o); !errors.Is(err, lifecycle.ErrDependency) {
		t.Errorf("without a cache: %v", err)
	}
}
