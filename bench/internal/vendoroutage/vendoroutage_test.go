package vendoroutage

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

func TestMain(m *testing.M) {
	if code, ran := process.RunRole(context.Background(), process.VendorRole, process.WorkerRole, peer.Role); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// Every part has figures that only real calls give.
func TestParts(t *testing.T) {
	t.Parallel()
	rows, err := allParts.Measure(t.Context(), smoke, allParts.Names(), true)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]report.Row{}
	for _, r := range rows {
		got[r.Name] = r
		t.Logf("%s: %v %s (%s)", r.Name, r.Ours, r.Unit, r.Note)
	}
	for name, least := range map[string]float64{
		"outage-attempts-burnt": 0, "outage-attempts-burnt-cases": 1, "outage-dead": 0, "outage-calls": 0, "outage-first-success-seconds": 0.01,
		"ramp-refusals": 0, "ramp-refusals-cases": 1, "outage-roundtrips-per-task": 0.1, "outage-done": 0.1, "outage-done-since-return": 0.1,
		"others-delayed-p95": 0.01, "openings": 0, "openings-cases": 1, "bad-records-unmarked": 0, "bad-records-unmarked-cases": 3,
		"login-refused": 1, "login-served-seconds": 0, "login-others-late": 0, "login-others-openings": 0, "login-others-openings-cases": 1,
	} {
		if r, ok := got[name]; !ok || r.Ours < least {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, name := range []string{"outage-attempts-burnt-beside-backoff", "outage-roundtrips-per-task-beside-backoff"} {
		if r := got[name]; r.Theirs == nil || *r.Theirs == 0 {
			t.Errorf("the outage cost the peer nothing: %+v", r)
		}
	}
}

var origin = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time { return origin.Add(time.Duration(seconds * float64(time.Second))) }

// call returns a call that takes half a second.
func call(arrived float64, outcome tebratest.Outcome) tebratest.Call {
	return tebratest.Call{Arrived: at(arrived), Took: time.Second / 2, Operation: process.Operation, Outcome: outcome}
}

// course of an account whose calls may be a second apart: one call before an outage from 2 to 60 s,
// three in the outage, and three of four demanded ones afterwards.
func exampleCourse() course {
	return course{
		down: at(2), back: at(60), observed: at(100), done: true, reads: 30, commands: 60,
		logs: logs{calls: map[string]vendorlog.Timeline{"a": {
			call(0, tebratest.OutcomeOK), call(3, tebratest.OutcomeReset), call(6.9, tebratest.OutcomeMaintenance), call(30, tebratest.OutcomeReset),
			call(64, tebratest.OutcomeOK), call(65.5, tebratest.OutcomeOK), call(66, tebratest.OutcomeThrottled), call(67, tebratest.OutcomeOK),
		}}},
	}
}

func TestFiguresOfCourse(t *testing.T) {
	t.Parallel()
	z := settings{warm: 1, calls: 3, grace: 5 * time.Second}
	accounts := []process.Account{{Tenant: "a", Interval: 900 * time.Millisecond, Margin: 100 * time.Millisecond}}
	f, err := exampleCourse().figures(z, accounts)
	want := figures{waited: 3, failed: 3, calls: 1, first: 4.5, refusals: 1, after: 4, done: 1, doneSince: 2.5, reads: 10, commands: 20}
	if err != nil || f != want {
		t.Errorf("%+v (%v), want %+v", f, err, want)
	}
	z.calls = 4 // one was not served until the end of the observation
	f, err = exampleCourse().figures(z, accounts)
	if err != nil || f.left != 1 || f.done != 35.5/3 || f.waited != 4 {
		t.Errorf("with a call that was not served: %+v, %v", f, err)
	}
	dead := exampleCourse()
	dead.logs.calls["a"] = dead.logs.calls["a"][:4]
	if f, err := dead.figures(z, accounts); err != nil || f.first != 40 || f.left != 4 {
		t.Errorf("without a call after the outage: %+v, %v", f, err)
	}
	z.calls = 0
	if _, err := exampleCourse().figures(z, accounts); err == nil {
		t.Error("an outage in which no task waited has figures")
	}
}

func TestOpeningsAreCounted(t *testing.T) {
	t.Parallel()
	w := &watch{}
	state := func(scope string, c breaker.Condition, until float64) breaker.State {
		return breaker.State{Name: breaker.Name{Scope: scope}, Condition: c, Until: at(until), Reason: "timeout"}
	}
	host := func(c breaker.Condition, until float64) breaker.State { return state(breaker.Host, c, until) }
	login := func(c breaker.Condition, until float64) breaker.State { return state(breaker.Credential, c, until) }
	for i, tt := range []struct {
		states []breaker.State
		want   int
	}{
		{[]breaker.State{host(breaker.Open, 10), login(breaker.Closed, 0)}, 1},
		{[]breaker.State{host(breaker.Open, 10.02), login(breaker.Ramp, 0)}, 1},  // the same opening
		{[]breaker.State{host(breaker.Open, 30), login(breaker.Closed, 0)}, 2},   // again, after a probe that was not seen
		{[]breaker.State{host(breaker.Probing, 0), login(breaker.Closed, 0)}, 2}, // its probe is on its way
		{[]breaker.State{host(breaker.Open, 50), login(breaker.Open, 50)}, 4},
		{[]breaker.State{host(breaker.Closed, 0), login(breaker.Closed, 0)}, 4},
		{[]breaker.State{host(breaker.Closed, 0), login(breaker.Open, 60)}, 5},
	} {
		if w.compare(tt.states, at(float64(i))); len(w.openings) != tt.want {
			t.Errorf("step %d: %d openings, want %d", i, len(w.openings), tt.want)
		}
	}
	if got := describe(w.openings); got != "breakers opened: credential (timeout) 2 times, host (timeout) 3 times" {
		t.Error(got)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	day, err := tasks.ParseDate("2026-03-10")
	if err != nil {
		t.Fatal(err)
	}
	list := func(arrived float64) tebratest.Call {
		c := call(arrived, tebratest.OutcomeOK)
		c.Operation = "GetAppointments"
		return c
	}
	account := process.Account{Tenant: "a"}
	l := logs{
		calls: map[string]vendorlog.Timeline{"a": {call(0, tebratest.OutcomeOK), call(1, tebratest.OutcomeFault), list(2), call(3, tebratest.OutcomeOK), list(4)}},
		asked: map[string][]process.Asked{"a": {
			{At: at(-0.1), Patient: "1"},
			{At: at(0.9), Patient: "1"},
			{At: at(1.9), Until: "3/9/2026 11:59:59 PM"},
			{At: at(2.9), Patient: "1"},
			{At: at(3.9), Until: "3/11/2026 4:59:59 AM"},
		}},
	}
	all := []demanded{{at: at(0.5), account: account, patient: "1"}, {at: at(0), account: account, day: day}, {at: at(0), account: account, patient: "2"}}
	waits, unserved := delays(all, process.Operation, l, at(10))
	if len(waits) != 2 || waits[0] != 3*time.Second || waits[1] != 10*time.Second || unserved != 1 {
		t.Errorf("patients waited %v, %d not served", waits, unserved)
	}
	if waits, unserved := delays(all, "GetAppointments", l, at(10)); len(waits) != 1 || waits[0] != 4500*time.Millisecond || unserved != 0 {
		t.Errorf("days waited %v, %d not served", waits, unserved)
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	for state, tt := range map[tasks.State]struct {
		used int
		open bool
	}{
		tasks.StateDone: {2, false}, tasks.StateDead: {3, false}, tasks.StateRetrying: {3, true}, tasks.StateScheduled: {3, true},
		tasks.StateRunning: {2, true}, tasks.StateUnknown: {0, true},
	} {
		if used, open := attempts(tasks.Status{State: state, Attempt: 3}); used != tt.used || open != tt.open {
			t.Errorf("%s: %d, %t", state, used, open)
		}
	}
}

// A bad record is never among the good ones, and each account's faults are its own.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	today, err := tasks.ParseDate("2026-03-02")
	if err != nil {
		t.Fatal(err)
	}
	r := badRun{settings: full, today: today, good: 7}
	seen := map[string]bool{}
	for i := range r.accounts {
		f := r.faults(i, true)
		for _, id := range append(f.FailPatients, f.FailDays...) {
			if seen[id] || id <= process.Patient(r.good-1) && len(id) == len(process.Patient(0)) {
				t.Errorf("%s is bad twice, or good", id)
			}
			seen[id] = true
		}
	}
	last := r.today.Add(1 + 2*int(r.badFor/r.dayEvery))
	if len(seen) != r.badPatients+r.badDays || r.badDay(0).Days(last) > -60 {
		t.Errorf("%d bad records; the last good day is %v, the first bad one %v", len(seen), last, r.badDay(0))
	}
}
