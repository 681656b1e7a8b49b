package telemetry

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetricsArriveWithTheirLabels(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	TaskEnded(ctx, "schedule.sync", "sync", "later", "throttled", 2*time.Second)
	TaskWaited(ctx, "schedule.sync", "sync", 40*time.Millisecond)
	VendorCalled(ctx, "GetPatient", "", 300*time.Millisecond)
	VendorCalled(ctx, "GetPatient", "", 500*time.Millisecond)
	VendorThrottled(ctx, "GetPatient")
	CacheRead(ctx, "appointment", "fresh")
	DataRead(ctx, "appointment", time.Minute)
	countDropped(ctx, 2)
	flush()

	type point struct {
		Labels map[string]string
		Sum    float64
	}
	want := map[string]point{
		"rounds.tasks":            {map[string]string{"kind": "schedule.sync", "lane": "sync", "outcome": "later", "code": "throttled"}, 1},
		"rounds.task.duration":    {map[string]string{"kind": "schedule.sync", "lane": "sync", "outcome": "later"}, 2},
		"rounds.task.wait":        {map[string]string{"kind": "schedule.sync", "lane": "sync"}, .04},
		"rounds.vendor.calls":     {map[string]string{"operation": "GetPatient"}, 2},
		"rounds.vendor.duration":  {map[string]string{"operation": "GetPatient"}, .8},
		"rounds.vendor.throttled": {map[string]string{"operation": "GetPatient"}, 1},
		"rounds.cache.reads":      {map[string]string{"class": "appointment", "state": "fresh"}, 1},
		"rounds.data.age":         {map[string]string{"class": "appointment"}, 60},
		"rounds.log.dropped":      {map[string]string{}, 2},
	}
	got := map[string]point{}
	for _, p := range receiver.Points("") {
		got[p.Metric] = point{p.Attributes, p.Sum}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestALabelCannotCarryAName(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	CacheRead(ctx, "Maria Muster", "1970-01-31 born")
	flush()
	points := receiver.Points("rounds.cache.reads")
	if len(points) != 1 {
		t.Fatalf("received %d points, want 1", len(points))
	}
	values := slices.Sorted(maps.Values(points[0].Attributes))
	if diff := cmp.Diff([]string{invalid, invalid}, values); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestBoundsGrow(t *testing.T) {
	t.Parallel()
	for _, bounds := range [][]float64{waitBounds, callBounds, ageBounds} {
		if !slices.IsSorted(bounds) || len(slices.Compact(slices.Clone(bounds))) != len(bounds) {
			t.Errorf("bounds %v do not grow", bounds)
		}
	}
}

func BenchmarkTaskEndedUnconfigured(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		TaskEnded(ctx, "schedule.sync", "sync", "done", "", time.Millisecond)
	}
}
