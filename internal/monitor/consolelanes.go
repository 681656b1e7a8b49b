package monitor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// asynqmon gives up on the lists of all queues when it cannot read one of them: one task ID without
// its record is enough. The functions here then put such a list together lane by lane, and mark
// those of which a record is damaged.

// historyDays is how many days of counts asynqmon's page of one queue shows, historyAll those of
// its first page.
const (
	historyDays = 10
	historyAll  = 90
)

var errDamaged = errors.New("a record is damaged")

// survives calls f and reports whether it returned: asynq panics at some damaged counters.
func survives(f func()) (ok bool) {
	defer func() { ok = recover() == nil }()
	f()
	return ok
}

// repair replaces asynqmon's failed response by our own, if the request is for lanes and Redis
// answers.
func (c *console) repair(w http.ResponseWriter, r *http.Request, api string) (responded bool) {
	lane, isLane := strings.CutPrefix(api, "queues/")
	if api != "queues" && api != "queue_stats" && (!isLane || strings.Contains(lane, "/")) {
		return false
	}
	all, err := queue.Stats(r.Context(), c.rdb)
	if err != nil {
		return false
	}
	snapshots, history := []map[string]any{}, map[string][]map[string]any{}
	days := historyAll
	if isLane {
		days = historyDays
	}
	for _, s := range all {
		if isLane && s.Lane != lane {
			continue
		}
		snapshots = append(snapshots, c.snapshot(r.Context(), s))
		history[s.Lane] = c.history(s.Lane, days)
	}
	switch {
	case api == "queues":
		writeJSON(w, http.StatusOK, map[string]any{"queues": snapshots})
	case api == "queue_stats":
		writeJSON(w, http.StatusOK, map[string]any{"stats": history})
	case len(snapshots) == 1:
		writeJSON(w, http.StatusOK, map[string]any{"current": snapshots[0], "history": history[lane]})
	default:
		return false
	}
	return true
}

// snapshot returns asynqmon's description of a lane: from asynq, or from our own counts if asynq
// cannot read the lane.
func (c *console) snapshot(ctx context.Context, s queue.LaneStats) map[string]any {
	var memory int64
	var latency time.Duration
	var info *asynq.QueueInfo
	err := errDamaged
	survives(func() { info, err = c.inspector.GetQueueInfo(s.Lane) })
	if err == nil {
		memory, latency = info.MemoryUsage, info.Latency
	} else if !s.Oldest.IsZero() {
		latency = time.Since(s.Oldest)
	}
	// A lane that never received a task is no damage.
	damaged := s.Damaged || err != nil && c.rdb.SIsMember(ctx, "asynq:queues", s.Lane).Val()
	shown := latency.Round(10 * time.Millisecond).String()
	if damaged {
		shown = errDamaged.Error() // in the column of the page that takes a text
	}
	return map[string]any{
		"queue": s.Lane, "memory_usage_bytes": memory, "size": s.Pending + s.Active + s.Scheduled + s.Retry + s.Archived, "groups": 0,
		"latency_msec": latency.Milliseconds(), "display_latency": shown,
		"active": s.Active, "pending": s.Pending, "aggregating": 0, "scheduled": s.Scheduled, "retry": s.Retry, "archived": s.Archived,
		"completed": 0, "processed": s.Processed, "succeeded": s.Processed - s.Failed, "failed": s.Failed, "paused": s.Paused,
		"timestamp": time.Now(), "damaged": damaged,
	}
}

// history returns a lane's counts by day; none if a counter is damaged.
func (c *console) history(lane string, days int) []map[string]any {
	out := []map[string]any{}
	var found []*asynq.DailyStats
	survives(func() { found, _ = c.inspector.History(lane, days) })
	for _, d := range found {
		out = append(out, map[string]any{
			"queue": d.Queue, "processed": d.Processed, "succeeded": d.Processed - d.Failed, "failed": d.Failed, "date": d.Date.Format(time.DateOnly),
		})
	}
	return out
}
