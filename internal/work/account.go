package work

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/account"
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
		return d.vendorError(ctx, id, err, job.EnqueuedAt)
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
