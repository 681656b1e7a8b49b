package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Budget is what pace allows one tenant's operation at the moment: names and times only.
type Budget struct {
	Tenant    tenant.ID
	Operation string
	Spacing   time.Duration // between two calls
	Next      time.Duration // until the next call may leave
	Blocked   time.Duration // until the operation has rested after a throttle answer; 0 when it need not
	Backlog   time.Duration // how far ahead background callers are booked
}

// Budgets reads the budgets of the given tenants' operations, those that were asked for within a week. It takes nothing
// from them.
func (f *Flow) Budgets(ctx context.Context, ids ...tenant.ID) ([]Budget, error) {
	operations := tebra.Operations()
	var keys []string
	for _, id := range ids {
		for _, op := range operations {
			keys = append(keys, paceKey(id, op.Name))
		}
	}
	seen, err := glances(ctx, f.options.Redis, keys, "next", "interval", "margin", "learned", "blocked", "booked")
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", err)
	}
	var out []Budget
	for i, g := range seen {
		if g.number("next") == 0 {
			continue // nobody has asked
		}
		op := operations[i%len(operations)]
		ahead := func(field string) time.Duration { return micros(max(0, g.number(field)-g.now)) }
		out = append(out, Budget{
			Tenant: ids[i/len(operations)], Operation: op.Name, Spacing: f.spacing(g, op.Interval),
			Next: max(ahead("next"), ahead("blocked")), Blocked: ahead("blocked"), Backlog: ahead("booked"),
		})
	}
	return out, nil
}

// spacing is the interval and what is left of the margin that was learnt, as take.lua has it.
func (f *Flow) spacing(g glance, documented time.Duration) time.Duration {
	interval := micros(g.number("interval"))
	if interval == 0 {
		interval = documented
	}
	margin := max(f.options.MinMargin, interval*marginMille/1000)
	if learnt := micros(g.number("margin")); learnt > margin {
		age := micros(max(0, g.now-g.number("learned")))
		if age < marginLife {
			margin += time.Duration(float64(learnt-margin) * (1 - float64(age)/float64(marginLife)))
		}
	}
	return interval + margin
}
