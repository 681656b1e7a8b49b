package telemetry

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestBoundsIncrease(t *testing.T) {
	t.Parallel()
	for _, bounds := range [][]float64{waitBounds, quickBounds, callBounds, ageBounds} {
		if !slices.IsSorted(bounds) || len(slices.Compact(slices.Clone(bounds))) != len(bounds) {
			t.Errorf("bounds %v do not increase", bounds)
		}
	}
}

func BenchmarkTaskEndedUnconfigured(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		TaskEnded(ctx, "schedule.sync", "sync", "done", "", time.Millisecond)
	}
}
