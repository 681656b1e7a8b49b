package vendoroutage

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// patients returns the demands of n patients, from the given one.
func patients(from, n int) []tasks.Args {
	args := make([]tasks.Args, n)
	for i := range args {
		args[i] = tasks.SyncPatient{Practice: process.PracticeID, Patient: tasks.PatientID(process.Patient(from + i))}
	}
	return args
}

// demanded is one record that was demanded.
type demanded struct {
	at      time.Time
	account process.Account
	patient string // empty for a day
	day     tasks.Date
	task    string // its ID
}

// operation returns the operation that reads the record.
func (d demanded) operation() string {
	if d.patient != "" {
		return process.Operation
	}
	return "GetAppointments"
}

// matches reports whether a request asks for the record after it was demanded. A range of days ends with the last second
// of its last day, in the practice's zone or in Greenwich's.
func (d demanded) matches(a process.Asked) bool {
	if a.At.Before(d.at) {
		return false
	}
	if d.patient != "" {
		return a.Patient == d.patient
	}
	until, err := time.Parse("1/2/2006 3:04:05 PM", a.Until)
	noon := d.day.In(time.UTC).Add(12 * time.Hour)
	return err == nil && until.After(noon) && until.Before(noon.Add(24*time.Hour))
}

// demandDay demands the schedule of one day.
func demandDay(ctx context.Context, c *tasks.Client, a process.Account, day tasks.Date) (demanded, error) {
	d := demanded{at: time.Now(), account: a, day: day}
	r, err := c.Enqueue(ctx, a.Tenant, tasks.SyncSchedule{Practice: process.PracticeID, From: day, To: day})
	d.task = r.ID
	return d, err
}

// demandPatient demands an account's n-th patient.
func demandPatient(ctx context.Context, c *tasks.Client, a process.Account, n int) (demanded, error) {
	d := demanded{at: time.Now(), account: a, patient: process.Patient(n)}
	r, err := c.Enqueue(ctx, a.Tenant, patients(n, 1)[0])
	d.task = r.ID
	return d, err
}

// steadily calls do at even times until the end, for n = 0, 1 and so on.
func steadily(ctx context.Context, every time.Duration, end time.Time, do func(n int) (demanded, error)) (all []demanded, err error) {
	began := time.Now()
	for n := 0; ; n++ {
		due := began.Add(time.Duration(n) * every)
		if due.After(end) {
			return all, nil
		}
		if err := process.Pause(ctx, time.Until(due)); err != nil {
			return nil, err
		}
		d, err := do(n)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
}

// delays returns how long each demand of an operation waited for its response. One that was not
// served counts as waiting until the time of observation, and in unserved.
func delays(all []demanded, operation string, l logs, observed time.Time) (waits []time.Duration, unserved int) {
	calls := map[string]vendorlog.Timeline{}
	for tenant, t := range l.calls {
		calls[tenant] = t.Of(operation)
	}
	for _, d := range all {
		if d.operation() != operation {
			continue
		}
		call, ok := calls[d.account.Tenant].Serving(l.asked[d.account.Tenant], d.matches)
		end := vendorlog.Ended(call)
		if !ok {
			unserved, end = unserved+1, observed
		}
		waits = append(waits, end.Sub(d.at))
	}
	return waits, unserved
}

// logs are the simulator's logs of all accounts, by tenant.
type logs struct {
	calls map[string]vendorlog.Timeline
	asked map[string][]process.Asked
}

func readLogs(ctx context.Context, v *process.Vendor, accounts []process.Account) (l logs, err error) {
	if l.calls, err = vendorlog.ReadAll(ctx, v, accounts); err != nil {
		return l, err
	}
	asked, err := parts.AtOnce(accounts, func(a process.Account) ([]process.Asked, error) { return v.Asked(ctx, a.Tenant) })
	l.asked = map[string][]process.Asked{}
	for i, a := range accounts {
		l.asked[a.Tenant] = asked[i]
	}
	return l, err
}

// awaitServed waits until the vendor has served n calls of each account, or until the limit.
func awaitServed(ctx context.Context, v *process.Vendor, accounts []process.Account, n int, limit time.Duration) (all bool, err error) {
	until := time.Now().Add(limit)
	for i := 0; ; i++ {
		left := 0
		for _, a := range accounts {
			count, err := v.Count(ctx, a.Tenant)
			if err != nil {
				return false, err
			}
			left += max(0, n-count.OK)
		}
		if left == 0 || time.Now().After(until) {
			return left == 0, nil
		}
		if i%50 == 49 {
			parts.Progress("  %d calls are left", left)
		}
		if err := process.Pause(ctx, 200*time.Millisecond); err != nil {
			return false, err
		}
	}
}
