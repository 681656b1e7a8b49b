package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestBudgetSimulate(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	rdb := h.rdb(t)
	simulate := func(args string) simulationDoc {
		t.Helper()
		o := rounds(t, h.keyless(), append([]string{"budget", "simulate", "clinic-a", "patient.sync", "--json"}, strings.Fields(args)...)...)
		if o.code != exitOK {
			t.Fatalf("%+v", o)
		}
		return document[simulationDoc](t, o.stdout)
	}
	d := simulate("--count 1001")
	if d.Calls != 1001 || d.Operation != "GetPatient" || d.Lane != "sync" || d.SpacingSeconds != 0.275 || !d.FirstAt.Equal(d.At) ||
		d.HalfAt.Sub(d.At).Round(time.Second) != 138*time.Second || d.LastAt.Sub(d.At).Round(time.Second) != 275*time.Second || d.LimitedBy != "spacing" {
		t.Errorf("unused: %+v", d)
	}
	patient := operation(t, "GetPatient")
	calendar, err := budget.NewCalendar(budget.Options{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	busy := budget.Booking{Operation: patient, Flow: budget.NewFlow(queue.BudgetWeight(queue.Sync), "1"), Calls: 400}
	if _, err := calendar.Book(t.Context(), []budget.Booking{busy}); err != nil {
		t.Fatal(err)
	}
	key := tenant.ID("clinic-a").Key("f1c", "b", "GetPatient")
	before := rdb.HGetAll(t.Context(), key).Val()
	if d := simulate("--count 10 --practice 1"); d.LimitedBy != "bookings" || d.FirstAt.Sub(d.At) < 100*time.Second || d.BookedSeconds < 95 {
		t.Errorf("behind the practice's own tasks: %+v", d)
	}
	if d := simulate("--count 10 --practice 2"); d.FirstAt.Sub(d.At) > time.Second || d.LastAt.Sub(d.At) > 6*time.Second {
		t.Errorf("of another practice: %+v", d)
	}
	if d := simulate("--count 4 --lane interactive"); d.Lane != "interactive" || d.LastAt.Sub(d.At) > 2*time.Second {
		t.Errorf("for people: %+v", d)
	}
	if diff := cmp.Diff(before, rdb.HGetAll(t.Context(), key).Val()); len(before) == 0 || diff != "" {
		t.Errorf("the simulation changed the calendar (-before +after):\n%s", diff)
	}
	if n := rdb.Exists(t.Context(), "asynq:{sync}:pending", "asynq:{sync}:scheduled", tenant.ID("clinic-a").Key("f1", "p", "GetPatient")).Val(); n != 0 {
		t.Errorf("%d other keys were made", n)
	}
	// The breaker as package flow stores it.
	rdb.HSet(t.Context(), tenant.ID("clinic-a").Key("f1", "b", "GetPatient"), "until", rdb.Time(t.Context()).Val().Add(time.Hour).UnixMicro(), "opens", 2)
	if d := simulate("--practice 1"); d.LimitedBy != "breaker" || d.FirstAt.Sub(d.At) < 55*time.Minute {
		t.Errorf("behind a breaker: %+v", d)
	}
	o := rounds(t, h.keyless(), "budget", "simulate", "clinic-a", "schedule.sync", "--count", "2")
	for _, want := range []string{"calls       2 of GetAppointments", "first call  now", "delayed by  the spacing"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in %s", want, o.stdout)
		}
	}
	for args, want := range map[string]int{
		"clinic-a": exitUsage, "clinic-a no.such": exitUsage, "NO patient.sync": exitUsage, "clinic-b patient.sync": exitNotFound,
		"clinic-a patient.sync --count 0": exitUsage, "clinic-a patient.sync --count 100001": exitUsage, "clinic-a patient.sync --lane push": exitUsage,
		"clinic-a patient.sync --count 100000": exitOK, "clinic-a throttles.sync --practice 1": exitUsage,
	} {
		if o := rounds(t, h.keyless(), append([]string{"budget", "simulate"}, strings.Fields(args)...)...); o.code != want {
			t.Errorf("%s: %+v", args, o)
		}
	}
	if got := complete(t, h.keyless(), "budget", "simulate", "clinic-a", "patient.s"); !strings.Contains(got, "patient.sync\n") {
		t.Errorf("completion: %q", got)
	}
}
