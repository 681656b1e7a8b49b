package diagnose

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// checkLanes reports on what waits: a paused lane, and one that nobody works on, are easily forgotten.
func checkLanes(ctx context.Context, d *deployment) []Finding {
	if d.queue == nil {
		return []Finding{skipped("lanes", "its Redis' URL is not usable")}
	}
	all, err := queue.Standings(ctx, d.queue)
	if err != nil {
		return []Finding{skipped("lanes", "its Redis does not answer")}
	}
	f := Finding{Check: "lanes", Grade: OK, Means: "what waits in a lane that nobody works on grows old, and boards with it"}
	var waiting, running int64
	var wrong []string
	now := time.Now()
	for _, l := range all {
		waiting, running = waiting+l.Pending+l.Retry, running+l.Active
		switch {
		case l.Paused:
			wrong = append(wrong, fmt.Sprintf("%s is paused, %s", l.Lane, Ago(l.PausedAt, now)))
		case isUnattended(l, now):
			wrong = append(wrong, fmt.Sprintf("nobody works on %s: its oldest demand was made %s", l.Lane, Ago(l.Oldest, now)))
		}
	}
	f.Evidence = fmt.Sprintf("%d tasks wait, %d run", waiting, running)
	if len(wrong) > 0 {
		f.Grade, f.Evidence = Warn, strings.Join(wrong, "; ")
		f.Fix = "start a worker, or resume the lane; rounds queue list tells more"
	}
	return []Finding{f}
}

// unattended is how long tasks may lie in a lane that nobody works on before it is worth a word.
const unattended = 10 * time.Second

func isUnattended(l queue.Standing, now time.Time) bool {
	return l.Pending > 0 && l.Active == 0 && !l.Paused && !l.Oldest.IsZero() && now.Sub(l.Oldest) > unattended
}

// LaneAdvice says in words what stands out in a lane, and what to do about it.
func LaneAdvice(l queue.Standing, now time.Time) []string {
	a := advice{}
	if l.Paused {
		a.add("paused %s: demands are accepted and wait; rounds queue resume %s", Ago(l.PausedAt, now), l.Lane)
	}
	if isUnattended(l, now) {
		a.add("nothing of it runs: start a worker, or see the log of those that run")
	}
	for _, w := range l.Waits {
		if w.Code != "" {
			a.add("%d of %s wait after %s: %s", w.Tasks, cmp.Or(w.Kind, unknown), w.Code, cmp.Or(queue.Meaning(w.Code), unknown))
		}
	}
	if l.Archived > 0 {
		a.add("%d are dead: rounds dead list", l.Archived)
	}
	if l.Lane == queue.Quarantine && l.Pending+l.Retry+l.Scheduled > 0 {
		a.add("these took a worker down with them; each runs alone once more")
	}
	return a
}
