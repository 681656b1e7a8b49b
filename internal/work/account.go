package work

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// account returns the tenant's ID and account. Runs that concern a practice use open instead.
func (d Deps) account(ctx context.Context, t string) (tenant.ID, *account.Account, error) {
	id, err := tenant.Parse(t)
	if err != nil {
		return "", nil, tasks.Permanent(err)
	}
	a, err := d.Account(ctx, id)
	return id, a, err
}

// syncPractices reads the account's practices and compares them with the tenant's. It ignores an
// empty answer. Running twice: one more call, no change.
func (d Deps) syncPractices(ctx context.Context, job *tasks.Job[tasks.SyncPractices]) error {
	id, a, err := d.account(ctx, job.Tenant)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, id)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, partial, err := a.Vendor.Directory.Practices(ctx, tebra.PracticesRequest{})
	if len(rows) == 0 || partial || err != nil {
		return unusable(partial, err, job.EnqueuedAt)
	}
	list := practice.FromPractices(rows)
	if _, err := d.Store.ApplyPractices(ctx, id, list, since); err != nil {
		return applied(err)
	}
	return tasks.Permanent(differs(a, list))
}

// differs returns what is wrong with the tenant's practices, or nil. Only an operator can repair
// it: lists are requested by a practice's name, and for a wrong name the vendor returns an empty
// list, as if there were no bookings.
func differs(a *account.Account, list practice.Practices) error {
	names := map[string]string{}
	for _, p := range list.Practices {
		names[p.ID] = p.Name
	}
	for _, p := range a.Practices {
		switch name, ok := names[p.ID]; {
		case !ok:
			return codes.PracticeNotListed
		case name != p.Name:
			return codes.PracticeRenamed
		}
	}
	return nil
}

// The bounds of a plausible interval. Flow rejects all intervals if one of them is outside.
const (
	shortest = time.Millisecond
	longest  = time.Minute
)

// syncThrottles reads how often the account may call each operation and passes that to flow
// control. It skips operations that this program does not call, and implausible intervals. Running
// twice: one more call, no change.
func (d Deps) syncThrottles(ctx context.Context, job *tasks.Job[tasks.SyncThrottles]) error {
	id, a, err := d.account(ctx, job.Tenant)
	if err != nil {
		return err
	}
	rows, err := a.Vendor.System.Throttles(ctx)
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	known := map[string]bool{}
	for _, op := range tebra.Operations() {
		known[op.Name] = true
	}
	intervals := map[string]time.Duration{}
	for _, r := range rows {
		if known[r.Operation] && r.Interval >= shortest && r.Interval <= longest {
			intervals[r.Operation] = r.Interval
		}
	}
	return d.Intervals(ctx, id, intervals)
}
