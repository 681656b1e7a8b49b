package diagnose

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/breaker"
)

// workChecks are the findings about running processes and what delays their work. The alarm of each
// state, if there is one, is the finding.
var workChecks = []struct {
	state alarm.State
	check string
	means string
	// good returns the evidence that all is well.
	good func(s alarm.Snapshot) string
	// reported marks what only a scheduler's report shows.
	reported bool
}{
	{alarm.Scheduler, "scheduler", "it decides what is due; without it data ages", func(s alarm.Snapshot) string {
		return "last report: " + Ago(s.LastReport(), s.At)
	}, false},
	{alarm.Worker, "workers", "they process tasks; a lane that none serves waits", func(s alarm.Snapshot) string {
		slots := 0
		for _, w := range s.Workers {
			slots += w.Slots
		}
		return fmt.Sprintf("workers: %d, slots: %d, and every lane with tasks is served", len(s.Workers), slots)
	}, false},
	{alarm.Breaker, "breakers", "while one is open, calls to the vendor wait", func(s alarm.Snapshot) string {
		return fmt.Sprintf("open: 0, recently closed: %d", countBreakers(s, string(breaker.Ramp)))
	}, true},
	{alarm.Login, "logins", "no call is sent with a login that the vendor refuses", func(alarm.Snapshot) string {
		return "the vendor has not refused a login in use"
	}, true},
	{alarm.Budget, "budgets", "tasks beyond what the vendor allows wait for their places", func(s alarm.Snapshot) string {
		var furthest time.Duration
		for _, b := range s.Status.Budgets {
			furthest = max(furthest, b.Backlog)
		}
		return fmt.Sprintf("budgets in use: %d, booked ahead by at most %s", len(s.Status.Budgets), furthest.Round(time.Second))
	}, true},
}

// checkWork checks that processes run and that nothing delays their work. What is wrong with the
// stores themselves is the subject of other checks.
func checkWork(ctx context.Context, d *deployment) []Finding {
	var out []Finding
	skip := func(because string) []Finding {
		for _, c := range workChecks {
			out = append(out, skipped(c.check, because))
		}
		return append(out, skipped("lanes", because))
	}
	if d.queue == nil {
		return skip("the URL of the queue's Redis is not usable")
	}
	s := alarm.Read(ctx, d.queue, nil)
	if s.LanesErr != nil || s.WorkersErr != nil {
		return skip("the queue's Redis does not answer")
	}
	all := alarm.Of(s)
	for _, c := range workChecks {
		found := slices.DeleteFunc(slices.Clone(all), func(a alarm.Alarm) bool { return a.State != c.state })
		switch {
		case len(found) > 0:
			for _, a := range found {
				out = append(out, findingOf(c.check, a))
			}
		case c.reported && !s.Current():
			out = append(out, skipped(c.check, "no scheduler reports"))
		case c.reported && slices.Contains(s.Status.Missing, c.check):
			out = append(out, skipped(c.check, "the scheduler cannot read them"))
		default:
			out = append(out, Finding{Check: c.check, Grade: OK, Evidence: c.good(s), Means: c.means})
		}
	}
	return append(out, gradeLanes(s.Lanes, s.At))
}

// findingOf returns an alarm as a finding. A state that is no fault, because nothing has run here
// yet, is a warning.
func findingOf(check string, a alarm.Alarm) Finding {
	f := Finding{Check: check, Grade: Warn, Evidence: a.What, Means: a.Effect, Fix: a.Next}
	if a.Fault {
		f.Grade = Fail
	}
	if a.Evidence != "" {
		f.Evidence += ": " + a.Evidence
	}
	return f
}

func countBreakers(s alarm.Snapshot, state string) int {
	n := 0
	for _, b := range s.Status.Breakers {
		if b.State == state {
			n++
		}
	}
	return n
}
