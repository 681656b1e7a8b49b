package work

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestVendorOutageCostsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]tebratest.Faults{
		"outage": {Outage: true}, "maintenance": {Maintenance: true}, "an answer that breaks off": {CutBody: true},
	} {
		b := setup(t)
		b.vendor.SetFaults(f)
		began := time.Now()
		for _, args := range everything("7")[:3] {
			o := b.run(t, args)
			want(t, o, tasks.OutcomeLater, "vendor_unavailable")
			if wait := o.NextAt.Sub(began); wait < firstWait || wait > 2*firstWait {
				t.Errorf("%s: %s waits %v", name, args.Kind(), wait)
			}
		}
		b.cold(t, monday)
		b.demands(t)
	}
}

func TestTaskIsGivenUpAfterADayOfOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.vendor.Outage(true)
	for age, state := range map[time.Duration]string{23 * time.Hour: tasks.OutcomeLater, 25 * time.Hour: tasks.OutcomeDead} {
		d := b.sealed(t, clinicA.String(), days(monday, monday))
		d.Headers["enqueued_at"] = time.Now().Add(-age).UTC().Format(time.RFC3339Nano)
		want(t, b.deliver(t, d), state, "vendor_unavailable")
	}
}

func TestThrottledRunWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Throttles = tebratest.Throttles{} })
	b.done(t, days(monday, monday))
	began := time.Now()
	o := b.run(t, days(monday, monday))
	want(t, o, tasks.OutcomeLater, "vendor_throttled")
	interval := time.Duration(0)
	for _, op := range tebra.Operations() {
		if op.Name == "GetAppointments" {
			interval = op.Interval
		}
	}
	if wait := o.NextAt.Sub(began); interval == 0 || wait < interval {
		t.Errorf("it waits %v, the vendor requires %v", wait, interval)
	}
}

func TestWrongPasswordIsDead(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Password = "changed since" })
	want(t, b.run(t, days(monday, monday)), tasks.OutcomeDead, "vendor_unauthenticated")
}

// The vendor decides when a run comes back: by a locked login, or a response that names the time.
func TestRunComesBackWhenTheVendorAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  tebratest.Rule
		code  tasks.Code
		least time.Duration
	}{
		{tebratest.Rule{Fault: tebratest.FaultLocked}, "vendor_locked", locked},
		{tebratest.Rule{Fault: tebratest.FaultTooMany, For: 90 * time.Second}, "vendor_throttled", 90 * time.Second},
		{tebratest.Rule{Fault: tebratest.FaultOdd, Odd: tebratest.OddDatabaseTimeout}, "vendor_timeout", firstWait},
		{tebratest.Rule{Fault: tebratest.FaultOdd, Odd: tebratest.OddDeadlock}, "vendor_unavailable", firstWait},
	} {
		b := setup(t)
		b.vendor.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{c.rule}})
		began := time.Now()
		o := b.run(t, days(monday, monday))
		want(t, o, tasks.OutcomeLater, c.code)
		if wait := o.NextAt.Sub(began); wait < c.least || wait > 2*c.least {
			t.Errorf("%+v: it waits %v", c.rule, wait)
		}
		b.vendor.SetFaults(tebratest.Faults{})
		b.done(t, days(monday, monday))
	}
}

func TestVendorErrors(t *testing.T) {
	t.Parallel()
	now := time.Now()
	down := &tebra.Error{Code: tebra.Unavailable, Operation: "GetPatient"}
	for name, c := range map[string]struct {
		err      error
		age      time.Duration
		state    string
		min, max time.Duration
	}{
		"young":              {down, 0, tasks.OutcomeLater, 5 * time.Second, 8 * time.Second},
		"future":             {down, -time.Hour, tasks.OutcomeLater, 5 * time.Second, 8 * time.Second},
		"a minute":           {down, time.Minute, tasks.OutcomeLater, 30 * time.Second, 40 * time.Second},
		"an hour":            {down, time.Hour, tasks.OutcomeLater, 10 * time.Minute, 13 * time.Minute},
		"a day":              {down, 25 * time.Hour, tasks.OutcomeDead, 0, 0},
		"timeout":            {&tebra.Error{Code: tebra.Timeout}, 0, tasks.OutcomeLater, 5 * time.Second, 8 * time.Second},
		"throttled":          {&tebra.Error{Code: tebra.Throttled, Interval: 5 * time.Second}, 0, tasks.OutcomeLater, 10 * time.Second, 14 * time.Second},
		"throttled, but how": {&tebra.Error{Code: tebra.Throttled}, 25 * time.Hour, tasks.OutcomeLater, 2 * time.Second, 4 * time.Second},
		"canceled":           {&tebra.Error{Code: tebra.Canceled}, 0, tasks.OutcomeLater, 0, 2 * time.Second},
		"refused":            {&tebra.Error{Code: tebra.Unauthenticated}, 0, tasks.OutcomeDead, 0, 0},
		"asked to wait":      {&tebra.Error{Code: tebra.Unavailable, RetryAfter: 40 * time.Minute}, time.Minute, tasks.OutcomeLater, 40 * time.Minute, 51 * time.Minute},
		"asked for less":     {&tebra.Error{Code: tebra.Unavailable, RetryAfter: time.Second}, time.Minute, tasks.OutcomeLater, 30 * time.Second, 40 * time.Second},
		"throttled for long": {&tebra.Error{Code: tebra.Throttled, RetryAfter: time.Minute}, 0, tasks.OutcomeLater, time.Minute, 76 * time.Second},
		"locked":             {&tebra.Error{Code: tebra.Locked}, 0, tasks.OutcomeLater, 5 * time.Minute, 7 * time.Minute},
		"locked for a day":   {&tebra.Error{Code: tebra.Locked}, 25 * time.Hour, tasks.OutcomeDead, 0, 0},
		"late":               {&tebra.Error{Code: tebra.Unavailable, Reason: "void"}, 25 * time.Hour, tasks.OutcomeLater, 2 * time.Second, 3 * time.Second},
		"of a record":        {&tebra.Error{Code: tebra.Timeout, Fingerprint: ofRecord, Sent: true}, 25 * time.Hour, tasks.OutcomeRetry, 0, 3 * time.Second},
		"record and wait":    {&tebra.Error{Code: tebra.Unavailable, Fingerprint: ofRecord, RetryAfter: time.Minute}, 0, tasks.OutcomeRetry, time.Minute, 63 * time.Second},
		"merged":             {&tebra.Error{Code: tebra.Merged}, 0, tasks.OutcomeDead, 0, 0},
		"malformed":          {&tebra.Error{Code: tebra.Malformed}, 0, tasks.OutcomeRetry, 0, 3 * time.Second},
		"else":               {errors.New("something else"), 0, tasks.OutcomeRetry, 0, 3 * time.Second},
	} {
		worker := tasks.WorkerFunc[tasks.SyncDirectory](func(context.Context, *tasks.Job[tasks.SyncDirectory]) error {
			return atOnce.vendorError(t.Context(), clinicA, fmt.Errorf("wrapped: %w", c.err), now.Add(-c.age))
		})
		r := taskstest.Work(t, worker, tasks.SyncDirectory{Practice: "7"})
		if r.State != c.state {
			t.Errorf("%s: %s %s", name, r.State, r.Code)
			continue
		}
		if wait := r.NextAt.Sub(now); c.state != tasks.OutcomeDead && (wait < c.min || wait > c.max+time.Second) {
			t.Errorf("%s: comes back after %v", name, wait)
		}
	}
}

// atOnce has a retry budget that is never used up.
var atOnce = Deps{
	Retry:    func(context.Context, tenant.ID, string) time.Duration { return 0 },
	OfRecord: func(_ tenant.ID, _ string, call uint64) bool { return call == ofRecord },
}

// ofRecord is the fingerprint of a call that fails while others succeed.
const ofRecord = 13

// A failed call is not repeated before the retry budget allows it, and costs what it did before.
func TestRetryBudgetDelaysTasks(t *testing.T) {
	t.Parallel()
	for code, state := range map[tebra.Code]string{
		tebra.Timeout: tasks.OutcomeLater, tebra.Unavailable: tasks.OutcomeLater, tebra.Malformed: tasks.OutcomeRetry, tebra.Unknown: tasks.OutcomeRetry,
	} {
		d := Deps{OfRecord: atOnce.OfRecord, Retry: func(_ context.Context, id tenant.ID, operation string) time.Duration {
			if id != clinicA || operation != "GetProviders" {
				t.Errorf("a retry of %s of %s", operation, id)
			}
			return time.Minute
		}}
		worker := tasks.WorkerFunc[tasks.SyncDirectory](func(ctx context.Context, _ *tasks.Job[tasks.SyncDirectory]) error {
			return d.vendorError(ctx, clinicA, &tebra.Error{Code: code, Operation: "GetProviders", Sent: true}, time.Now())
		})
		r := taskstest.Work(t, worker, tasks.SyncDirectory{Practice: "7"})
		if r.State != state || r.Code != codes.RetryBudget || r.Delay < 50*time.Second || r.Delay > 77*time.Second {
			t.Errorf("%s: %+v", code, r)
		}
		r = taskstest.Work(t, worker, tasks.SyncDirectory{Practice: "7"}, taskstest.Failed(9))
		if state == tasks.OutcomeRetry && (r.State != tasks.OutcomeDead || r.Code != vendorCode(code)) {
			t.Errorf("%s, the last attempt: %+v", code, r)
		}
	}
	d := Deps{OfRecord: atOnce.OfRecord, Retry: func(context.Context, tenant.ID, string) time.Duration {
		t.Error("a retry of what is final, or of what was not sent")
		return 0
	}}
	for _, e := range []tebra.Error{
		{Code: tebra.Throttled, Sent: true},
		{Code: tebra.Locked, Sent: true},
		{Code: tebra.Denied, Sent: true},
		{Code: tebra.NotFound, Sent: true},
		{Code: tebra.Unavailable},
		{Code: tebra.Malformed},
	} {
		if err := d.vendorError(t.Context(), clinicA, &e, time.Now()); err == nil {
			t.Errorf("%s: no error", e.Code)
		}
	}
}

// Each code of the vendor client has a code of the project with the same name.
func TestVendorCodesHaveAMeaning(t *testing.T) {
	t.Parallel()
	for theirs, ours := range vendorCodes {
		if ours != "vendor_"+codes.Code(theirs) || ours.Meaning() == "" {
			t.Errorf("%q is %q, which means %q", theirs, ours, ours.Meaning())
		}
		err := atOnce.vendorError(t.Context(), clinicA, &tebra.Error{Code: theirs, Operation: "GetPatient"}, time.Now())
		if code := tasks.CodeOf(err); code.Meaning() == "" {
			t.Errorf("%q ends a run with %q", theirs, code)
		}
	}
	if code := tasks.CodeOf(atOnce.vendorError(t.Context(), clinicA, &tebra.Error{Code: "new_there"}, time.Now())); code != codes.VendorUnknown {
		t.Errorf("an unknown code of the vendor client becomes %q", code)
	}
}

type notNow struct{ at time.Time }

func (n notNow) Error() string                  { return "not now" }
func (n notNow) NotBefore() (time.Time, string) { return n.at, "pace" }

func TestGateRefusalIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Now().Add(42 * time.Second)
	b.gate.refuse = notNow{at}
	for _, args := range everything("7")[:3] {
		o := b.run(t, args)
		want(t, o, tasks.OutcomeLater, "pace")
		if o.NextAt.Before(at) || o.NextAt.Sub(at) > time.Second {
			t.Errorf("%s comes back %v after the time it was given", args.Kind(), o.NextAt.Sub(at))
		}
	}
	if b.calls() != 0 {
		t.Errorf("%d calls went past the gate", b.calls())
	}
}
