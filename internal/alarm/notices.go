package alarm

import (
	"fmt"
	"strings"
)

// reports is the notice that the scheduler cannot read parts of what it reports.
func reports(s Snapshot) []Alarm {
	if !s.Current() || len(s.Status.Missing) == 0 {
		return nil
	}
	parts := strings.Join(s.Status.Missing, ", ")
	return []Alarm{{
		State: Report, What: "the scheduler cannot read " + parts, Effect: "what is wrong with " + parts + " is not shown",
		Next: "see the log of the scheduler, and rounds doctor",
	}}
}

// freshness is the notice that schedules are outdated. The cause has an alarm of its own, or was
// over a moment ago.
func freshness(s Snapshot) []Alarm {
	late := 0
	for _, f := range s.Status.Freshness {
		if f.Late() {
			late++
		}
	}
	if !s.Current() || late == 0 {
		return nil
	}
	return []Alarm{{
		State: Freshness, What: fmt.Sprintf("%d of %d practices have outdated schedules during their opening hours", late, len(s.Status.Freshness)),
		Effect: "their boards are served with their age", Next: "see the other findings for the cause; without one, the next syncs bring them up to date",
	}}
}

func lanes(s Snapshot) []Alarm {
	var out []Alarm
	for _, l := range s.Lanes {
		if l.Paused {
			out = append(out, Alarm{
				State: Lane, What: fmt.Sprintf("the queue %s is paused", l.Lane), Evidence: fmt.Sprintf("tasks that wait: %d", waiting(l)),
				Effect: "its demands are accepted and wait", Next: "to resume it, run rounds queue resume " + l.Lane,
			})
		}
		if l.Damaged {
			out = append(out, Alarm{
				State: Lane, What: fmt.Sprintf("records of the queue %s are damaged", l.Lane), Effect: "its counts are incomplete",
				Next: "find out which program writes asynq's keys; rounds queue show has what can be read",
			})
		}
	}
	return out
}

// data is a notice for each code of the ledger's alerts.
func data(s Snapshot) []Alarm {
	var out []Alarm
	for _, c := range s.Alerts {
		what := fmt.Sprintf("alerts %s: %d", c.Code.Shown(), c.Alerts)
		if c.Rows > 0 {
			what += fmt.Sprintf(", rows: %d", c.Rows)
		}
		out = append(out, Alarm{
			State: Data, What: what, Evidence: c.Code.Meaning(), Effect: "boards may lack what the vendor has",
			Next: "see rounds alert list",
		})
	}
	return out
}
