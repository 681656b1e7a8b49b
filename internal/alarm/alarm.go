// Package alarm decides what of a deployment needs an operator's attention. The page Now, "rounds
// status" and "rounds doctor" show its alarms, so that they never disagree.
//
// Each of six states is a fault: a store is unavailable, no scheduler, no worker, an open breaker,
// a refused login, a full budget. Everything else is a notice. [Read] costs a few round trips, and
// an alarm begins and ends within ten seconds of its state:
//
//	store      at once; the cache's with the scheduler's next report, after 2 s
//	scheduler  when its report is older than status.Late, 7 s; ends with the first report
//	worker     at once if it was stopped, and 7.5 s after its last heartbeat if it was killed
//	breaker, login, budget: with the scheduler's next report
//
// Alarms contain names of tenants, lanes and operations, codes, counts and times.
package alarm

import (
	"fmt"
	"slices"
)

// State is what an alarm is about.
type State string

// The states. The first six are faults.
const (
	Store     State = "store"     // a store does not answer
	Scheduler State = "scheduler" // no scheduler reports
	Worker    State = "worker"    // no worker runs, or none serves a lane whose tasks wait
	Breaker   State = "breaker"   // calls to the vendor are held back
	Login     State = "login"     // the vendor refuses the login of a tenant
	Budget    State = "budget"    // more calls are demanded than the vendor allows
	Report    State = "report"    // the scheduler's report lacks a part
	Freshness State = "freshness" // schedules are older than their objective
	Lane      State = "lane"      // a lane is paused or damaged
	Data      State = "data"      // the ledger has alerts about practices' data
)

// Alarm is one thing that needs attention. Its texts are clauses without a full stop.
type Alarm struct {
	State State `json:"state"`
	// Fault reports that work does not get done as it should: a check of the deployment fails.
	Fault    bool   `json:"fault"`
	What     string `json:"what"`
	Evidence string `json:"evidence,omitempty"`
	Effect   string `json:"effect"` // what it means, and for whom
	Next     string `json:"next"`   // what to do
}

// maxEach is how many alarms of one state but Data are listed; the last one stands for the others.
const maxEach = 5

// Of returns the alarms of a snapshot: faults first, in the order of the states.
func Of(s Snapshot) []Alarm {
	var out []Alarm
	for _, found := range [][]Alarm{
		stores(s), scheduler(s), workers(s), breakers(s), logins(s), budgets(s), reports(s), freshness(s), lanes(s),
	} {
		out = append(out, first(found)...)
	}
	out = append(out, data(s)...) // one for each code, and each has another meaning
	slices.SortStableFunc(out, func(a, b Alarm) int {
		switch {
		case a.Fault == b.Fault:
			return 0
		case a.Fault:
			return -1
		}
		return 1
	})
	return out
}

// first returns the first alarms of a state, and one for the others.
func first(found []Alarm) []Alarm {
	more := len(found) - maxEach
	if more <= 0 {
		return found
	}
	rest := found[maxEach-1]
	rest.What, rest.Evidence = fmt.Sprintf("%d more like this", more+1), ""
	return append(found[:maxEach-1], rest)
}

// AnyFault reports whether one of the alarms is a fault.
func AnyFault(all []Alarm) bool {
	return slices.ContainsFunc(all, func(a Alarm) bool { return a.Fault })
}
