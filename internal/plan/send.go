package plan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// sendBatch is how many due ticks one cycle sends.
	sendBatch = 500
	// unknownTickGrace is how long a tick of an unknown schedule or practice is left to other
	// schedulers. One of a newer version has more schedules than this one, one that read the
	// tenants a moment later has more practices, and each of them sends its ticks within seconds. A
	// tick that is still due after the grace belongs to something that was removed.
	unknownTickGrace = time.Hour
)

// send enqueues what is due. Of several ticks of one schedule it enqueues only the latest: they
// accumulated while the queue was unreachable, and one answer serves them all. What this planner
// cannot send is not read, since it would take the place of what it can.
func (p *Planner) send(ctx context.Context, there zones, now time.Time) error {
	sendable := ledger.Sendable{Names: p.names, UnknownZones: there.unknown}
	due, err := p.ledger.Due(ctx, ledger.DueFilter{Until: now.Add(calendarSlack), Only: &sendable, Limit: sendBatch})
	if err != nil {
		return fmt.Errorf("read due ticks: %w", err)
	}
	latest := make(map[scheduleKey]time.Time, len(due))
	for _, t := range due { // oldest first
		latest[scheduleKey{t.Tenant, t.Schedule}] = t.At
	}
	for _, t := range due {
		r, practice := p.ruleOf(t)
		zone := there.known[practiceKey{t.Tenant, practice}]
		if r == nil || zone == nil {
			continue // the practice was added after the cycle read the tenants
		}
		if t.At.Equal(latest[scheduleKey{t.Tenant, t.Schedule}]) {
			if err := p.enqueue(ctx, t, r.Args(practice, t.At.In(zone))); err != nil {
				return err
			}
		}
		if err := p.ledger.MarkSent(ctx, t, now); err != nil {
			return fmt.Errorf("mark tick sent: %w", err)
		}
	}
	_, err = p.ledger.AbandonDue(ctx, sendable, now.Add(-unknownTickGrace), now)
	return err
}

// ruleOf returns the rule and the practice that a tick belongs to; the rule is nil if this planner
// has no such schedule.
func (p *Planner) ruleOf(t ledger.Tick) (*rule, string) {
	name, practice, _ := strings.Cut(t.Schedule, "/")
	for i := range p.rules {
		if p.rules[i].Name == name {
			return &p.rules[i], practice
		}
	}
	return nil, practice
}

// enqueue sends one tick. Two schedulers may send the same tick, and one scheduler may send it
// twice if it dies before it marks the tick; the idempotency key makes that one demand. A demand
// that can never be enqueued is logged and counts as sent, so that it does not block the ticks
// after it.
func (p *Planner) enqueue(ctx context.Context, t ledger.Tick, demands []tasks.Args) error {
	for i, args := range demands {
		once := fmt.Sprintf("tick %s %d %d", t.Schedule, t.At.Unix(), i)
		if t.Recalls > 0 { // the queue still has the keys of what was sent early
			once += fmt.Sprintf(" again %d", t.Recalls)
		}
		switch _, err := p.tasks.Enqueue(ctx, t.Tenant.String(), args, tasks.Once(once)); {
		case errors.Is(err, tasks.ErrReused): // a scheduler of another version sent it with other args
		case errors.Is(err, tasks.ErrInvalid):
			p.log.ErrorContext(ctx, "schedule demands a task that cannot be enqueued", "tenant", t.Tenant, "schedule", t.Schedule, "kind", args.Kind(), "error", err)
		case err != nil:
			return fmt.Errorf("enqueue tick of %s: %w", t.Schedule, err)
		}
	}
	return nil
}
