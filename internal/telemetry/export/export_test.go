package export

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// environment returns a Getenv that reads a map.
func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestNothingIsExportedByDefault(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"empty environment": {},
		"exporters off":     {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"SDK disabled":      {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
	} {
		var e exporters
		if err := e.start(t.Context(), Options{Getenv: environment(vars)}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(e.stop) != 0 {
			t.Errorf("%s: started %d exporters, want none", name, len(e.stop))
		}
	}
}

func TestEnvironmentConfiguresExporters(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"one endpoint":           {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"an endpoint per signal": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:1"},
		"exporters by name":      {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"},
	} {
		getenv := environment(vars)
		if !configured(getenv, "TRACES") || !configured(getenv, "METRICS") {
			t.Errorf("%s: traces %v, metrics %v, want both on", name, configured(getenv, "TRACES"), configured(getenv, "METRICS"))
		}
	}
}

func TestInvalidEndpointIsAnError(t *testing.T) {
	t.Parallel()
	if _, _, err := Setup(t.Context(), Options{Endpoint: "http://[::1"}); err == nil {
		t.Error("an endpoint that is not a URL was accepted")
	}
}

// A collector that accepts connections and never answers must not delay work, and delays the
// shutdown of a process by two seconds at most.
func TestHangingCollectorDelaysNothing(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// The handler reads the body: otherwise the closed connection lingers for half a second, and
	// goleak reports its goroutine.
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-hang
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { close(hang); _ = server.Close(); <-served })

	tel, shutdown, err := Setup(t.Context(), Options{Endpoint: "http://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx := telemetry.With(t.Context(), tel)
	began := time.Now()
	for range 5_000 {
		_, span := telemetry.Start(ctx, telemetry.SpanTask)
		span.End("")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("5,000 spans took %v with a hanging collector, want no wait", took)
	}
	began = time.Now()
	if err := shutdown(ctx); err == nil {
		t.Error("shutdown did not report the spans it lost")
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("shutdown took %v, want about 2 s", took)
	}
}

func TestShutdownTwice(t *testing.T) {
	t.Parallel()
	_, shutdown, err := Setup(t.Context(), Options{Endpoint: otlptest.New(t).URL()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// A process that ends logs the stored values that it has counted since the last line about them.
func TestShutdownLogsUnusableValues(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tel, shutdown, err := Setup(t.Context(), Options{Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx := telemetry.With(t.Context(), tel)
	for range 3 {
		telemetry.ValueUnusable(ctx, "day-board", "seal_broken")
	}
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "count=2") {
		t.Errorf("logged %q", got)
	}
}
