package work

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestRegisterRequiresEveryDependency(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, spoil := range map[string]func(*Deps){
		"account": func(d *Deps) { d.Account = nil }, "store": func(d *Deps) { d.Store = nil }, "tasks": func(d *Deps) { d.Tasks = nil },
		"now": func(d *Deps) { d.Now = nil }, "ledger": func(d *Deps) { d.Ledger = nil }, "intervals": func(d *Deps) { d.Intervals = nil },
	} {
		router, err := tasks.NewRouter(tasks.RouterOptions{Keys: b.keys})
		must(t, err)
		d := b.Deps
		spoil(&d)
		if Register(router, d) == nil {
			t.Errorf("Register accepts a missing %s", name)
		}
	}
}

// Every kind of package tasks has a row in its table, a worker, and an operation that the vendor
// has and whose interval package budget knows.
func TestEveryKindHasARowAndAWorker(t *testing.T) {
	t.Parallel()
	intervals := map[string]time.Duration{"": 0}
	for _, op := range tebra.Operations() {
		intervals[op.Name] = op.Interval
	}
	var rows []string
	for _, k := range tasks.Kinds() {
		rows = append(rows, k.Name)
		interval, ok := intervals[k.Operation]
		if !ok {
			t.Errorf("%s calls %s, which the vendor does not have", k.Name, k.Operation)
		}
		if got := budget.Documented(k.Operation); got != interval {
			t.Errorf("%s is booked every %v, and the documented interval of %s is %v", k.Name, got, k.Operation, interval)
		}
	}
	slices.Sort(rows)
	if diff := cmp.Diff(rows, setup(t).router.Kinds()); diff != "" {
		t.Errorf("kinds (-rows +workers):\n%s", diff)
	}
}

// asking is one task of each kind that calls the vendor about a practice.
func asking(practiceID string) []tasks.Args {
	on := monday
	return []tasks.Args{
		tasks.SyncSchedule{Practice: practiceID, From: on, To: on},
		tasks.SyncAppointment{Practice: practiceID, Appointment: "404"},
		tasks.SyncPatient{Practice: practiceID, Patient: "1000001"},
		tasks.SyncPatients{Practice: practiceID},
		tasks.SweepPatients{Practice: practiceID},
		tasks.SyncDirectory{Practice: practiceID},
		tasks.SyncLocations{Practice: practiceID},
	}
}

// everything is one task of each kind that concerns a practice.
func everything(practiceID string) []tasks.Args {
	on := monday
	return append(asking(practiceID),
		tasks.WarmView{View: tasks.DayBoard, Practice: practiceID, Date: on},
		tasks.WarmView{View: tasks.ProviderDay, Practice: practiceID, Date: on, Provider: "107"},
		tasks.WarmView{View: tasks.PatientCard, Practice: practiceID, Date: on, Patient: "1000001"},
		tasks.InvalidateEntity{Practice: practiceID, Noun: tasks.NounPatient, ID: "1000001"},
	)
}

func TestInvalidTasksAreDeadWithoutACall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, args := range everything("99") {
		want(t, b.run(t, args), tasks.OutcomeDead, "unknown_practice")
	}
	for _, args := range append(everything("7"), tasks.SyncThrottles{}, tasks.SyncPractices{}) {
		want(t, b.deliver(t, b.sealed(t, "clinic-z", args)), tasks.OutcomeDead, "unknown_tenant")
	}
	if b.calls() != 0 || len(b.gate.asked) != 0 {
		t.Errorf("they cost %d calls", b.calls())
	}
	b.demands(t)
}

func TestInteractiveRunsUseTheReservedShare(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, args := range append(asking("7"), tasks.SyncThrottles{}, tasks.SyncPractices{}) {
		b.gate.asked = nil
		want(t, b.run(t, args), tasks.OutcomeDone, "")
		want(t, b.run(t, args, tasks.Interactive()), tasks.OutcomeDone, "")
		if len(b.gate.asked) != 2 || b.gate.asked[0].Interactive || !b.gate.asked[1].Interactive {
			t.Errorf("%s asked the gate %+v", args.Kind(), b.gate.asked)
		}
	}
}
