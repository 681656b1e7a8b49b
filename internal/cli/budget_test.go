package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// operation returns clinic-a's budget of an operation.
func operation(t *testing.T, name string) budget.Operation {
	t.Helper()
	op, err := findOperation(name)
	if err != nil {
		t.Fatal(err)
	}
	return budget.Operation{Tenant: "clinic-a", Name: op.Name, Interval: op.Interval}
}

// callVendor takes slots as calls do.
func callVendor(t *testing.T, rdb redis.UniversalClient, op budget.Operation, n int) *budget.Pace {
	t.Helper()
	p, err := budget.NewPace(budget.Options{Redis: rdb, MaxWait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := p.Acquire(t.Context(), op, budget.Demand{Interactive: true, Limit: time.Minute, Slowdown: 1}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// throttle blocks an operation for which the vendor names an interval of 20 s.
func throttle(t *testing.T, p *budget.Pace, op budget.Operation) {
	t.Helper()
	if err := p.SetIntervals(t.Context(), op.Tenant, map[string]time.Duration{op.Name: 20 * time.Second}); err != nil {
		t.Fatal(err)
	}
	p.Block(t.Context(), op, 25*time.Second)
}

func TestBudgetList(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	if o := rounds(t, h.keyless(), "budget", "list"); o.code != exitOK || o.stdout != "no call within a week\n" {
		t.Errorf("before any call: %+v", o)
	}
	rdb := h.rdb(t)
	patient, list := operation(t, "GetPatient"), operation(t, "GetAppointments")
	callVendor(t, rdb, patient, 3)
	f, err := flow.New(flow.Options{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	for range 12 {
		f.Retry(t.Context(), "clinic-a", "GetPatient")
	}
	throttle(t, callVendor(t, rdb, list, 1), list)

	before := rdb.HGetAll(t.Context(), tenant.ID("clinic-a").Key("f1", "p", "GetPatient")).Val()
	o := rounds(t, h.keyless(), "budget", "list", "--json")
	d := document[budgetsDoc](t, o.stdout)
	if o.code != exitOK || d.Total != 2 || len(d.Budgets) != 2 || d.At.IsZero() {
		t.Fatalf("%+v", o)
	}
	if b := d.Budgets[0]; b.Operation != list.Name || b.IntervalSeconds != 20 || b.MarginSeconds <= 0 || b.SpacingSeconds != 20+b.MarginSeconds ||
		b.BlockedUntil.Sub(d.At) < 15*time.Second || b.NextAt.Before(b.BlockedUntil) {
		t.Errorf("throttled: %+v", b)
	}
	if b := d.Budgets[1]; b.Tenant != "clinic-a" || b.Operation != patient.Name || b.IntervalSeconds != patient.Interval.Seconds() || !b.BlockedUntil.IsZero() || !b.BookedUntil.IsZero() {
		t.Errorf("%+v", b)
	}
	if b := d.Budgets[1]; b.Retries > -1.5 || b.RetriesDelayed < 1.5 || b.UsedMinute != 0 || d.Budgets[0].Retries != 10 {
		t.Errorf("retries: %+v", d.Budgets)
	}
	if o := rounds(t, h.keyless(), "budget", "show", "clinic-a", "GetPatient"); !strings.Contains(o.stdout, "the retry budget is used up") || !strings.Contains(o.stdout, "0 at once; 2 were delayed") {
		t.Errorf("%+v", o)
	}
	if after := rdb.HGetAll(t.Context(), tenant.ID("clinic-a").Key("f1", "p", "GetPatient")).Val(); len(before) == 0 || len(after) != len(before) || after["next"] != before["next"] {
		t.Errorf("listing changed the budget: %v, then %v", before, after)
	}
	o = rounds(t, h.keyless(), "budget", "list", "--limit", "1")
	for _, want := range []string{"TENANT ", "GetAppointments  20s", "1 more; see --limit"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in %s", want, o.stdout)
		}
	}
	for args, want := range map[string]int{
		"--limit 0": exitUsage, "--tenant NO": exitUsage, "--tenant clinic-b": exitNotFound, "--tenant clinic-a": exitOK, "extra": exitUsage,
	} {
		if o := rounds(t, h.keyless(), append([]string{"budget", "list"}, strings.Fields(args)...)...); o.code != want {
			t.Errorf("%s: %+v", args, o)
		}
	}
	down := h.keyless()
	down["ROUNDS_QUEUE_REDIS"] = "redis://:hush@" + progtest.Vacant(t)
	if o := rounds(t, down, "budget", "list", "--json"); o.code != exitDependency || failed(t, o.stdout).Code != "DEPENDENCY" {
		t.Errorf("without Redis: %+v", o)
	}
}

func TestBudgetShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	rdb := h.rdb(t)
	show := func(name string) budgetShowDoc {
		t.Helper()
		o := rounds(t, h.keyless(), "budget", "show", "clinic-a", name, "--json")
		if o.code != exitOK {
			t.Fatalf("%+v", o)
		}
		return document[budgetShowDoc](t, o.stdout)
	}
	if d := show("GetPatient"); d.Used || d.IntervalSeconds != d.DocumentedSeconds || len(d.Advice) != 1 || !strings.Contains(d.Advice[0], "no call within a week") {
		t.Errorf("unused: %+v", d)
	}
	patient := operation(t, "GetPatient")
	p := callVendor(t, rdb, patient, 1)
	if d := show("GetPatient"); !d.Used || len(d.Breakers) != 0 || !strings.Contains(d.Advice[0], "nothing delays") {
		t.Errorf("used: %+v", d)
	}
	throttle(t, p, patient)
	// The breakers as package flow stores them.
	now := rdb.Time(t.Context()).Val()
	for _, name := range []string{"GetPatient", "UpdateAppointment"} {
		key := tenant.ID("clinic-a").Key("f1", "b", name)
		rdb.HSet(t.Context(), key, "until", now.Add(time.Minute).UnixMicro(), "opens", 2, "reason", "timeout")
	}
	d := show("GetPatient")
	if len(d.Breakers) != 1 || d.Breakers[0].Scope != "GetPatient" || d.Breakers[0].State != "open" || d.Breakers[0].Reason != "timeout" || d.Breakers[0].ProbeAt.Sub(d.At) < 30*time.Second {
		t.Errorf("breakers: %+v", d.Breakers)
	}
	all := strings.Join(d.Advice, "\n")
	for _, want := range []string{"GetPatient is open because of timeout", "throttled the operation", "named a longer interval"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is missing in %s", want, all)
		}
	}
	o := rounds(t, h.keyless(), "budget", "show", "clinic-a", "GetPatient")
	for _, want := range []string{"interval            20s", "breaker GetPatient  open (timeout)", "blocked until"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing in %s", want, o.stdout)
		}
	}
	for args, want := range map[string]int{
		"clinic-a": exitUsage, "clinic-a NoSuch": exitUsage, "NO GetPatient": exitUsage, "clinic-b GetPatient": exitNotFound,
	} {
		if o := rounds(t, h.keyless(), append([]string{"budget", "show"}, strings.Fields(args)...)...); o.code != want {
			t.Errorf("%s: %+v", args, o)
		}
	}
	if got := complete(t, h.keyless(), "budget", "show", "clinic-a", "GetPatients"); got != "GetPatients\n:4\n" {
		t.Errorf("completion: %q", got)
	}
}
