package alarm

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/status"
)

// storeAlarms describe what it means that a store is unavailable.
var storeAlarms = map[outage.Store]Alarm{
	outage.Queue: {
		State: Store, Fault: true, What: "the queue's Redis does not answer",
		Effect: "nothing can be enqueued, and workers and schedulers wait; accepted tasks are kept",
		Next:   "start the server, or restore the network between it and this host; rounds doctor has the reason",
	},
	outage.Cache: {
		State: Store, Fault: true, What: "the cache's Redis does not answer", Evidence: "the scheduler cannot read it",
		Effect: "no board can be read, and workers take no tasks",
		Next:   "start the server, or restore its network; rounds doctor has the reason",
	},
	outage.Ledger: {
		State: Store, Fault: true, What: "the ledger does not answer",
		Effect: "no new work is scheduled, and tasks that need the ledger wait",
		Next:   "start the database, or restore its network; rounds doctor has the reason",
	},
}

func stores(s Snapshot) []Alarm {
	var out []Alarm
	if s.LanesErr != nil || s.WorkersErr != nil {
		out = append(out, storeAlarms[outage.Queue])
	}
	if s.Current() && slices.Contains(s.Status.Unavailable, outage.Cache.String()) {
		out = append(out, storeAlarms[outage.Cache])
	}
	if s.LedgerErr != nil || s.Current() && slices.Contains(s.Status.Unavailable, outage.Ledger.String()) {
		out = append(out, storeAlarms[outage.Ledger])
	}
	return out
}

func scheduler(s Snapshot) []Alarm {
	a := Alarm{
		State: Scheduler, Fault: !s.Unused(),
		Effect: "no new work is scheduled, and what is known ages; breakers, budgets and freshness are unknown",
		Next:   "start a scheduler, or see the logs of those that ended",
	}
	switch {
	case s.LanesErr != nil, s.Current():
		return nil // without Redis nothing is known
	case errors.Is(s.StatusErr, status.ErrNone):
		a.What = "no scheduler has reported within a day"
	case s.StatusErr != nil:
		a.What = "the scheduler's report cannot be read"
		a.Effect = "breakers, budgets and freshness are unknown"
		a.Next = "run the same release everywhere; if that is so, delete the report: the scheduler writes another in two seconds"
	default:
		a.What = "no scheduler has reported for " + span(s.StatusAge)
	}
	return []Alarm{a}
}

func workers(s Snapshot) []Alarm {
	if s.LanesErr != nil || s.WorkersErr != nil {
		return nil
	}
	if len(s.Workers) == 0 {
		return []Alarm{{
			State: Worker, Fault: !s.Unused(), What: "no worker is running",
			Evidence: fmt.Sprintf("no process sends heartbeats; tasks that wait: %d", s.Waiting()),
			Effect:   "no task runs: the boards of all tenants grow old, and changes do not reach the vendor",
			Next:     "start a worker, or see the logs of those that ended",
		}}
	}
	served := map[string]bool{}
	for _, w := range s.Workers {
		for _, lane := range w.Lanes {
			served[lane] = true
		}
	}
	var out []Alarm
	for _, l := range s.Lanes {
		if n := waiting(l); n > 0 && !served[l.Lane] && !l.Paused {
			evidence := fmt.Sprintf("tasks that wait: %d; workers: %d, and none takes tasks of this lane", n, len(s.Workers))
			if !l.Oldest.IsZero() {
				evidence += "; the oldest demand was made " + span(s.At.Sub(l.Oldest)) + " ago"
			}
			out = append(out, Alarm{
				State: Worker, Fault: true, What: "no worker serves the lane " + l.Lane, Evidence: evidence,
				Effect: "the tasks of " + l.Lane + " wait; other lanes are not affected",
				Next:   "start a worker that serves it, or see the logs of those that ended",
			})
		}
	}
	return out
}

// span formats a duration for people, in whole seconds.
func span(d time.Duration) string { return max(d, 0).Round(time.Second).String() }
