package diagnose

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// gradeLanes warns about lanes that are paused, and about lanes of which nothing runs although a
// worker serves them. That none does is an alarm.
func gradeLanes(all []queue.LaneStats, now time.Time) Finding {
	f := Finding{Check: "lanes", Grade: OK, Means: "tasks in a lane of which nothing runs grow old, and so do the boards"}
	var waiting, running int64
	var wrong []string
	for _, l := range all {
		waiting, running = waiting+l.Pending+l.Overdue+l.Retry, running+l.Active
		switch {
		case l.Paused:
			wrong = append(wrong, fmt.Sprintf("%s was paused %s", l.Lane, Ago(l.PausedAt, now)))
		case isUnattended(l, now):
			what, since := "oldest demand was made", l.Oldest
			if l.Overdue > 0 {
				what, since = "first task was due", l.NextDue
			}
			wrong = append(wrong, fmt.Sprintf("no task of %s is running: its %s %s", l.Lane, what, Ago(since, now)))
		}
	}
	f.Evidence = fmt.Sprintf("waiting tasks: %d, running: %d", waiting, running)
	if len(wrong) > 0 {
		f.Grade, f.Evidence = Warn, strings.Join(wrong, "; ")
		f.Fix = "start a worker, or resume the lane; see rounds queue list"
	}
	return f
}

// unattended is how long tasks may wait in a lane of which nothing runs before it is reported.
const unattended = 10 * time.Second

func isUnattended(l queue.LaneStats, now time.Time) bool {
	old := l.Pending > 0 && !l.Oldest.IsZero() && now.Sub(l.Oldest) > unattended
	return (old || l.Overdue > 0) && l.Active == 0 && !l.Paused
}

// LaneAdvice describes what is unusual about a lane and what to do about it, a sentence each.
func LaneAdvice(l queue.LaneStats, now time.Time) []string {
	a := advice{}
	if l.Paused {
		a.add("paused %s: demands are accepted and wait; to resume, run rounds queue resume %s", Ago(l.PausedAt, now), l.Lane)
	}
	if isUnattended(l, now) {
		a.add("no task of this lane is running: start a worker, or see the logs of the running ones")
	}
	for _, w := range l.Waits {
		if w.Code != "" {
			a.add("%s: %d waiting because of %s: %s", cmp.Or(w.Kind, unknown), w.Tasks, w.Code, cmp.Or(w.Code.Meaning(), unknown))
		}
	}
	if l.Archived > 0 {
		a.add("dead tasks: %d; see rounds dead list", l.Archived)
	}
	if queue.IsQuarantine(l.Lane) && l.Pending+l.Retry+l.Scheduled > 0 {
		a.add("these tasks crashed a worker; each runs once more, alone")
	}
	return a
}
