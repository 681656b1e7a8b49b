package telemetry_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// setup returns a context that exports to its own receiver, and a function that sends what is
// buffered.
func setup(t *testing.T) (context.Context, *otlptest.Receiver, func()) {
	t.Helper()
	receiver := otlptest.New(t)
	tel, shutdown, err := export.Setup(t.Context(), export.Options{Service: "rounds-test", Version: "1.2.3", Endpoint: receiver.URL()})
	if err != nil {
		t.Fatal(err)
	}
	flush := func() {
		t.Helper()
		if err := shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = shutdown(context.Background()) })
	return telemetry.With(t.Context(), tel), receiver, flush
}

func TestSpanIsExported(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	_, span := telemetry.Start(ctx, telemetry.SpanVendor, telemetry.Operation("GetPatient"), telemetry.Tenant("clinic-a"), telemetry.Attempt(2))
	span.Set(telemetry.Rows(3), telemetry.Changed(2))
	span.End("")
	flush()

	spans := receiver.Spans()
	if len(spans) != 1 {
		t.Fatalf("received %d spans, want 1", len(spans))
	}
	got := spans[0]
	want := map[string]string{"operation": "GetPatient", "tenant": "clinic-a", "attempt": "2", "rows": "3", "changed": "2"}
	if diff := cmp.Diff(want, got.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if got.Name != "vendor.call" || got.Kind != "client" || got.Service != "rounds-test" || got.Failed || got.ParentID != "" {
		t.Errorf("span = %+v, want a successful root client span vendor.call of rounds-test", got)
	}
}

func TestFailureExportsOnlyItsCode(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	_, failed := telemetry.Start(ctx, telemetry.SpanTask)
	failed.End("throttled")
	_, careless := telemetry.Start(ctx, telemetry.SpanTask)
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
	demanding, demand := telemetry.Start(ctx, telemetry.SpanEnqueue, telemetry.Kind("schedule.sync"))
	telemetry.Inject(demanding, headers)
	demand.End("")

	_, work := telemetry.Start(telemetry.Extract(ctx, headers), telemetry.SpanTask)
	work.End("")
	later, linked := telemetry.Start(telemetry.Link(demanding, headers), telemetry.SpanTask)
	_, inner := telemetry.Start(later, telemetry.SpanVendor)
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

func TestMalformedHeadersChangeNothing(t *testing.T) {
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
		if telemetry.Extract(ctx, headers) != ctx || telemetry.Link(ctx, headers) != ctx {
			t.Errorf("headers %.60v changed the context", headers)
		}
	}
}

func TestForeignTraceStateIsNotForwarded(t *testing.T) {
	t.Parallel()
	ctx, _, _ := setup(t)
	incoming := map[string]string{
		"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"tracestate":  "patient=Maria",
		"baggage":     "patient=Maria",
	}
	headers := map[string]string{}
	telemetry.Inject(telemetry.Extract(ctx, incoming), headers)
	if diff := cmp.Diff(map[string]string{"traceparent": incoming["traceparent"]}, headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestContextWithoutTelemetryRecordsNothing(t *testing.T) {
	t.Parallel()
	ctx, span := telemetry.Start(t.Context(), telemetry.SpanTask, telemetry.Tenant("clinic-a"))
	span.Set(telemetry.Rows(1))
	span.End("unavailable")
	headers := map[string]string{}
	telemetry.Inject(ctx, headers)
	if len(headers) != 0 {
		t.Errorf("headers = %v, want none without a span", headers)
	}
	telemetry.VendorCalled(ctx, "GetPatient", "", time.Second)
}

func TestTwoTelemetriesDoNotMix(t *testing.T) {
	t.Parallel()
	first, firstReceiver, flushFirst := setup(t)
	second, secondReceiver, flushSecond := setup(t)
	_, a := telemetry.Start(first, telemetry.SpanTask)
	_, b := telemetry.Start(second, telemetry.SpanView)
	a.End("")
	b.End("")
	flushFirst()
	flushSecond()
	if got := firstReceiver.Spans(); len(got) != 1 || got[0].Name != "task.work" {
		t.Errorf("first receiver got %v, want task.work alone", got)
	}
	if got := secondReceiver.Spans(); len(got) != 1 || got[0].Name != "view.build" {
		t.Errorf("second receiver got %v, want view.build alone", got)
	}
}

func TestSpanNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for n := telemetry.SpanRequest; n <= telemetry.SpanView; n++ {
		if name := n.String(); name == "unknown" || seen[name] {
			t.Errorf("span %d has the name %q, which is taken or unknown", n, name)
		}
		seen[n.String()] = true
	}
	if got := telemetry.SpanName(0).String(); got != "unknown" {
		t.Errorf("zero span name = %q, want unknown", got)
	}
}
