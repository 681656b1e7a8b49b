package telemetry_test

import (
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
)

func TestMetricsAreExportedWithTheirLabels(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	telemetry.TaskEnded(ctx, "schedule.sync", "sync", "later", "throttled", 2*time.Second)
	telemetry.TaskWaited(ctx, "schedule.sync", "sync", 40*time.Millisecond)
	telemetry.VendorCalled(ctx, "GetPatient", "", 300*time.Millisecond)
	telemetry.VendorCalled(ctx, "GetPatient", "", 500*time.Millisecond)
	telemetry.VendorThrottled(ctx, "GetPatient")
	telemetry.VendorRetried(ctx, "GetPatient", true)
	telemetry.VendorUnreadable(ctx, "GetPatient", "row_field", 3)
	telemetry.CacheRead(ctx, "appointment", "fresh")
	telemetry.DataRead(ctx, "appointment", time.Minute)
	telemetry.ValueUnusable(ctx, "last-seen", "seal_broken")
	telemetry.AlertsCounted(ctx, "practice_denied", 3)
	telemetry.AlertsCounted(ctx, "practice_denied", 2)
	logging.New(io.Discard, logging.Options{}).InfoContext(ctx, "x", "patient", "Maria", "phone", "555-0100")
	flush()

	type point struct {
		Labels map[string]string
		Sum    float64
	}
	want := map[string]point{
		"rounds.tasks":             {map[string]string{"kind": "schedule.sync", "lane": "sync", "outcome": "later", "code": "throttled"}, 1},
		"rounds.task.duration":     {map[string]string{"kind": "schedule.sync", "lane": "sync", "outcome": "later"}, 2},
		"rounds.task.wait":         {map[string]string{"kind": "schedule.sync", "lane": "sync"}, .04},
		"rounds.vendor.calls":      {map[string]string{"operation": "GetPatient"}, 2},
		"rounds.vendor.duration":   {map[string]string{"operation": "GetPatient"}, .8},
		"rounds.vendor.throttled":  {map[string]string{"operation": "GetPatient"}, 1},
		"rounds.vendor.retries":    {map[string]string{"operation": "GetPatient", "state": "delayed"}, 1},
		"rounds.vendor.unreadable": {map[string]string{"operation": "GetPatient", "code": "row_field"}, 3},
		"rounds.cache.reads":       {map[string]string{"class": "appointment", "state": "fresh"}, 1},
		"rounds.data.age":          {map[string]string{"class": "appointment"}, 60},
		"rounds.stored.unusable":   {map[string]string{"class": "last-seen", "code": "seal_broken"}, 1},
		"rounds.alerts":            {map[string]string{"code": "practice_denied"}, 2},
		"rounds.log.dropped":       {map[string]string{}, 2},
	}
	got := map[string]point{}
	for _, p := range receiver.Points("") {
		got[p.Metric] = point{p.Attributes, p.Sum}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestLabelCannotCarryAName(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	telemetry.CacheRead(ctx, "Maria Muster", "1970-01-31 born")
	flush()
	points := receiver.Points("rounds.cache.reads")
	if len(points) != 1 {
		t.Fatalf("received %d points, want 1", len(points))
	}
	values := slices.Sorted(maps.Values(points[0].Attributes))
	if diff := cmp.Diff([]string{"[invalid]", "[invalid]"}, values); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}
