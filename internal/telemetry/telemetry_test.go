package telemetry

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// setup returns a context that exports to its own receiver, and a function
// that sends what is waiting.
func setup(t *testing.T) (context.Context, *otlptest.Receiver, func()) {
	t.Helper()
	receiver := otlptest.New(t)
	tel, err := Setup(t.Context(), Options{Service: "rounds-test", Version: "1.2.3", Endpoint: receiver.URL()})
	if err != nil {
		t.Fatal(err)
	}
	flush := func() {
		t.Helper()
		if err := tel.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	return With(t.Context(), tel), receiver, flush
}

// environment is a Getenv over a map.
func environment(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestSpanArrivesAsMade(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	_, span := Start(ctx, SpanVendor, Operation("GetPatient"), Tenant("clinic-a"), Attempt(2))
	span.Set(Rows(3), Bytes(512))
	span.End("")
	flush()

	spans := receiver.Spans()
	if len(spans) != 1 {
		t.Fatalf("received %d spans, want 1", len(spans))
	}
	got := spans[0]
	want := map[string]string{"operation": "GetPatient", "tenant": "clinic-a", "attempt": "2", "rows": "3", "bytes": "512"}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if got.Name != "vendor.call" || got.Kind != "client" || got.Service != "rounds-test" || got.Failed || got.ParentID != "" {
		t.Errorf("span = %+v, want a successful root client span vendor.call of rounds-test", got)
	}
}

func TestFailureIsACodeOnly(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	_, failed := Start(ctx, SpanTask)
	failed.End("throttled")
	_, careless := Start(ctx, SpanTask)
	careless.End("no such patient: Maria Muster")
	flush()

	spans := receiver.Spans()
	if len(spans) != 2 {
		t.Fatalf("received %d spans, want 2", len(spans))
	}
	for i, want := range []string{"throttled", "[invalid]"} {
		got := spans[i]
		if !got.Failed || got.Status != want || got.Attributes["code"] != want {
			t.Errorf("span %d: failed=%v status=%q code=%q, want a failure with code %q",
				i, got.Failed, got.Status, got.Attributes["code"], want)
		}
	}
}

func TestWorkIsAChildOfItsDemand(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	headers := map[string]string{}
	demanding, demand := Start(ctx, SpanEnqueue, Kind("schedule.sync"))
	Inject(demanding, headers)
	demand.End("")

	_, work := Start(Extract(ctx, headers), SpanTask)
	work.End("")
	later, linked := Start(Link(demanding, headers), SpanTask)
	_, inner := Start(later, SpanVendor)
	inner.End("")
	linked.End("")
	flush()

	if _, ok := headers["traceparent"]; !ok || len(headers) != 1 {
		t.Errorf("headers = %v, want traceparent alone", headers)
	}
	spans := receiver.Spans()
	if len(spans) != 4 {
		t.Fatalf("received %d spans, want 4", len(spans))
	}
	enqueue, child, call, root := spans[0], spans[1], spans[2], spans[3]
	if child.TraceID != enqueue.TraceID || child.ParentID != enqueue.SpanID {
		t.Errorf("work %s/%s is not a child of its demand %s/%s", child.TraceID, child.ParentID, enqueue.TraceID, enqueue.SpanID)
	}
	if root.TraceID == enqueue.TraceID || root.ParentID != "" {
		t.Errorf("linked work continues the trace of its demand, want a new one")
	}
	if diff := cmp.Diff([]otlptest.Link{{TraceID: enqueue.TraceID, SpanID: enqueue.SpanID}}, root.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if call.ParentID != root.SpanID || len(call.Links) != 0 {
		t.Errorf("the call inside has parent %q and links %v, want parent %q and no link", call.ParentID, call.Links, root.SpanID)
	}
}

func TestHeadersFromOutsideAreHarmless(t *testing.T) {
	t.Parallel()
	for _, headers := range []map[string]string{
		nil,
		{},
		{"traceparent": ""},
		{"traceparent": "00-zz-00-01"},
		{"traceparent": "00-00000000000000000000000000000000-0000000000000000-01"},
		{"traceparent": strings.Repeat("0", 10_000)},
	} {
		ctx := t.Context()
		if Extract(ctx, headers) != ctx || Link(ctx, headers) != ctx {
			t.Errorf("headers %.60v changed the context", headers)
		}
	}
}

func TestForeignTraceStateGoesNoFurther(t *testing.T) {
	t.Parallel()
	ctx, _, _ := setup(t)
	incoming := map[string]string{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"tracestate":  "patient=Maria",
		"baggage":     "patient=Maria",
	}
	headers := map[string]string{}
	Inject(Extract(ctx, incoming), headers)
	if diff := cmp.Diff(map[string]string{"traceparent": incoming["traceparent"]}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestWithoutTelemetryNothingHappens(t *testing.T) {
	t.Parallel()
	ctx, span := Start(t.Context(), SpanTask, Tenant("clinic-a"))
	span.Set(Rows(1))
	span.End("unavailable")
	headers := map[string]string{}
	Inject(ctx, headers)
	if len(headers) != 0 {
		t.Errorf("headers = %v, want none without a span", headers)
	}
	VendorCalled(ctx, "GetPatient", "", time.Second)
}

func TestTwoTelemetriesDoNotMix(t *testing.T) {
	t.Parallel()
	first, firstReceiver, flushFirst := setup(t)
	second, secondReceiver, flushSecond := setup(t)
	_, a := Start(first, SpanTick)
	_, b := Start(second, SpanView)
	a.End("")
	b.End("")
	flushFirst()
	flushSecond()
	if got := firstReceiver.Spans(); len(got) != 1 || got[0].Name != "plan.tick" {
		t.Errorf("first receiver got %v, want plan.tick alone", got)
	}
	if got := secondReceiver.Spans(); len(got) != 1 || got[0].Name != "view.build" {
		t.Errorf("second receiver got %v, want view.build alone", got)
	}
}

func TestEverySpanHasItsOwnName(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := SpanRequest; n <= SpanView; n++ {
		if name := n.String(); name == "unknown" || seen[name] {
			t.Errorf("span %d is called %q, which is taken or no name", n, name)
		}
		seen[n.String()] = true
	}
	if got := SpanName(0).String(); got != "unknown" {
		t.Errorf("zero span name = %q, want unknown", got)
	}
}

func TestNothingConfiguredExportsNothing(t *testing.T) {
	t.Parallel()
	for name, vars := range map[string]map[string]string{
		"empty environment": {},
		"exporters off":     {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
		"SDK disabled":      {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
	} {
		tel, err := Setup(t.Context(), Options{Getenv: environment(vars)})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(tel.stop) != 0 {
			t.Errorf("%s: started %d exporters, want none", name, len(tel.stop))
		}
	}
}

func TestEnvironmentAsksForExporters(t *testing.T) {
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

func TestBadEndpointIsSaid(t *testing.T) {
	t.Parallel()
	if _, err := Setup(t.Context(), Options{Endpoint: "http://[::1"}); err == nil {
		t.Error("an endpoint that is no URL was accepted")
	}
}

// A collector that accepts connections and never answers must not hold up
// work, and costs a stopping process two seconds at most.
func TestDeadCollectorHoldsNothingUp(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang })}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() { close(hang); _ = server.Close(); <-served })

	tel, err := Setup(t.Context(), Options{Endpoint: "http://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	ctx := With(t.Context(), tel)
	began := time.Now()
	for range 5_000 {
		_, span := Start(ctx, SpanTask)
		span.End("")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("5,000 spans took %v beside a dead collector, want no waiting", took)
	}
	began = time.Now()
	if err := tel.Shutdown(ctx); err == nil {
		t.Error("shutdown told nothing of the spans it lost")
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("shutdown took %v, want about 2 s", took)
	}
}

func TestShutdownTwice(t *testing.T) {
	t.Parallel()
	_, _, flush := setup(t)
	flush()
	flush()
}
