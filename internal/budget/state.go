package budget

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// State is the budget of one operation as an operator sees it: names and times only.
type State struct {
	Tenant    tenant.ID
	Operation string
	Interval  time.Duration // that the vendor requires: documented, or named by the vendor
	Margin    time.Duration // on top of it
	Spacing   time.Duration // between two calls: Interval and Margin
	Next      time.Duration // until the next call may be sent
	Blocked   time.Duration // until the block after a throttle response ends; 0 when there is none
	Backlog   time.Duration // how far ahead background callers are booked
}

// States reads the budgets of the operations that were used within a week. It changes nothing.
func (p *Pace) States(ctx context.Context, operations ...Operation) ([]State, error) {
	keys, calendars := make([]string, len(operations)), make([]string, len(operations))
	for i, op := range operations {
		keys[i], calendars[i] = op.key(), op.calendarKey()
	}
	snapshots, err := redisconn.ReadSnapshots(ctx, p.o.Redis, keys, "next", "interval", "margin", "learned", "blocked", "refused", "refused_at")
	if err != nil {
		return nil, fmt.Errorf("read budgets: %w", redisconn.Clean(err))
	}
	booked, err := redisconn.ReadSnapshots(ctx, p.o.Redis, calendars, "end")
	if err != nil {
		return nil, fmt.Errorf("read calendars: %w", redisconn.Clean(err))
	}
	var out []State
	for i, op := range operations {
		s := snapshots[i]
		if s.Int("next") == 0 && booked[i].Int("end") == 0 {
			continue // never used
		}
		ahead := func(field string) time.Duration { return max(0, s.Until(field)) }
		interval, margin := p.spacing(s, op.Interval)
		out = append(out, State{
			Tenant: op.Tenant, Operation: op.Name, Interval: interval, Margin: margin, Spacing: interval + margin,
			Next: max(ahead("next"), ahead("blocked")), Blocked: ahead("blocked"), Backlog: max(0, booked[i].Until("end")),
		})
	}
	return out, nil
}

// spacing returns the interval and the margin, with what is left of its learned part. budget.lua
// computes the same.
func (p *Pace) spacing(s redisconn.Snapshot, documented time.Duration) (interval, margin time.Duration) {
	interval = micros(s.Int("interval"))
	if interval <= 0 {
		interval = documented
	}
	age := func(field string) time.Duration { return max(0, -s.Until(field)) }
	first := max(p.o.MinMargin, interval*firstMille/1000)
	least := max(p.o.MinMargin, interval*leastMille/1000)
	if refused := micros(s.Int("refused")); refused > 0 && age("refused_at") < marginLife {
		least = max(least, refused*5/4)
	}
	margin = micros(s.Int("margin"))
	switch {
	case margin <= 0:
		margin = first
	case margin > first:
		margin = first + time.Duration(float64(margin-first)*max(0, 1-float64(age("learned"))/float64(marginLife)))
	}
	return interval, max(margin, min(least, max(interval, first)))
}
