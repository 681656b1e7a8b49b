package diagnose

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// A lane is unattended if its pending tasks are old, or its booked ones were due.
func TestUnattendedLanes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	old := now.Add(-time.Minute)
	for name, c := range map[string]struct {
		lane queue.LaneStats
		want bool
	}{
		"empty":        {queue.LaneStats{}, false},
		"new":          {queue.LaneStats{Pending: 1, Oldest: now}, false},
		"old":          {queue.LaneStats{Pending: 1, Oldest: old}, true},
		"booked":       {queue.LaneStats{Scheduled: 1}, false},
		"overdue":      {queue.LaneStats{Scheduled: 1, Overdue: 1}, true},
		"being served": {queue.LaneStats{Scheduled: 1, Overdue: 1, Active: 1}, false},
		"paused":       {queue.LaneStats{Scheduled: 1, Overdue: 1, Paused: true}, false},
	} {
		if got := isUnattended(c.lane, now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
