package app

import (
	"errors"
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
	"github.com/workflow-bolt/rounds/tasks"
)

// allowed lists the attributes that may leave the process. It repeats the vocabulary on purpose: a
// new attribute is a decision.
var allowed = []string{
	"tenant", "kind", "lane", "task", "attempt", "outcome", "operation", "code", "rows", "changed", "view",
}

// One demand is one trace, from the service that enqueues it through the worker and the vendor call
// to the cache.
func TestOneTraceFromDemandToCache(t *testing.T) {
	t.Parallel()
	sys := build(t)
	collector := otlptest.New(t)
	tools := sys.tools(t)
	stop := sys.work(t, func(o *WorkerOptions) { o.Collector = collector.URL() })

	service, shutdown, err := export.Setup(t.Context(), export.Options{Service: "a-service", Endpoint: collector.URL()})
	if err != nil {
		t.Fatal(err)
	}
	d := tasks.DateOf(sys.today())
	if _, err := tools.Tasks.Enqueue(telemetry.With(t.Context(), service), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d, To: d}); err != nil {
		t.Fatal(err)
	}
	sys.board(t, tools, full(6))
	// The next reader of an invalidated board builds it again.
	seen := telemetry.With(t.Context(), service)
	if _, err := tools.Store.Invalidate(seen, clinicA, practice.Record{Noun: practice.NounPractice, Practice: "1"}, "task-1"); err != nil {
		t.Fatal(err)
	}
	r, err := tools.Store.Board(seen, clinicA, "1", civil.DateOf(sys.today().In(sys.clinic().Location())))
	if err != nil || r.Hit || !r.Stale {
		t.Errorf("an invalidated board: hit %v, stale %v, %v", r.Hit, r.Stale, err)
	}
	stop()
	if err := shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	spans := collector.Spans()
	byID := map[string]otlptest.Span{}
	for _, s := range spans {
		byID[s.SpanID] = s
	}
	i := slices.IndexFunc(spans, func(s otlptest.Span) bool { return s.Name == "task.enqueue" && s.Service == "a-service" })
	if i < 0 {
		t.Fatalf("the demand is not among %d spans", len(spans))
	}
	root := spans[i]
	for _, name := range []string{"task.work", "vendor.call", "cache.invalidate", "cache.fill"} {
		found := false
		for _, s := range spans {
			if s.Name == name && s.TraceID == root.TraceID {
				found = found || leadsTo(s, root, byID) == nil
			}
		}
		if !found {
			t.Errorf("no %s descends from the demand", name)
		}
	}
	if !slices.ContainsFunc(spans, func(s otlptest.Span) bool { return s.Name == "view.build" && s.Service == "a-service" }) {
		t.Error("no view.build of the reader")
	}
	if reads := collector.Points("rounds.cache.reads"); len(reads) == 0 {
		t.Error("no read of the cache was counted")
	}
	for _, s := range spans {
		for key := range s.Attributes {
			if !slices.Contains(allowed, key) {
				t.Errorf("%s has the attribute %s", s.Name, key)
			}
		}
	}
}

// leadsTo follows the parents of a span up to another.
func leadsTo(s, root otlptest.Span, byID map[string]otlptest.Span) error {
	for s.SpanID != root.SpanID {
		parent, ok := byID[s.ParentID]
		if !ok {
			return errors.New("a parent is missing")
		}
		s = parent
	}
	return nil
}
