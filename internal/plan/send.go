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
	// sendBatch is how many due ticks one pass sends.
	sendBatch = 500
	// strange is for how long a tick of something unknown is left to others. A scheduler of a newer version knows more
	// schedules than this one, one that read the tenants a moment later knows more practices, and each of them sends what
	// it added within seconds. What is still there after that belongs to something that is gone.
	strange = time.Hour
)

// send enqueues what is due. Of several ticks of one schedule only the latest is, unless the schedule wants all: they
// gathered while the queue was away, and one look answers them.
func (p *Planner) send(ctx context.Context, known map[place]*time.Location, now time.Time) error {
	due, err := p.ledger.Due(ctx, sendBatch)
	if err != nil {
		return fmt.Errorf("read due ticks: %w", err)
	}
	latest := make(map[row]time.Time, len(due))
	for _, t := range due { // oldest first
		latest[row{t.Tenant, t.Schedule}] = t.At
	}
	for _, t := range due {
		r, practice := p.ruleOf(t)
		zone := known[place{t.Tenant, practice}]
		switch {
		case r == nil || zone == nil:
			if now.Sub(t.At) < strange {
				continue
			}
		case r.Missed == MissedAll || t.At.Equal(latest[row{t.Tenant, t.Schedule}]):
			if err := p.enqueue(ctx, t, r.Args(practice, t.At.In(zone))); err != nil {
				return err
			}
		}
		if err := p.ledger.MarkSent(ctx, t, now); err != nil {
			return fmt.Errorf("mark tick sent: %w", err)
		}
	}
	return nil
}

// ruleOf is the rule and the practice that a tick belongs to; nil if there is no such rule here.
func (p *Planner) ruleOf(t ledger.Tick) (*rule, string) {
	name, practice, _ := strings.Cut(t.Schedule, "/")
	for i := range p.rules {
		if p.rules[i].Name == name {
			return &p.rules[i], practice
		}
	}
	return nil, practice
}

// enqueue sends one tick. The idempotency key makes a tick that two schedulers send, or one sends twice because it died
// before marking it, one demand. A demand that can never be made is logged and counts as sent: it must not hold up what
// comes after it.
func (p *Planner) enqueue(ctx context.Context, t ledger.Tick, demands []tasks.Args) error {
	for i, args := range demands {
		once := fmt.Sprintf("tick %s %d %d", t.Schedule, t.At.Unix(), i)
		switch _, err := p.tasks.Enqueue(ctx, t.Tenant.String(), args, tasks.Once(once)); {
		case errors.Is(err, tasks.ErrReused): // sent by a scheduler of another version, which demands something else
		case errors.Is(err, tasks.ErrInvalid):
			p.log.ErrorContext(ctx, "schedule demands what cannot be enqueued", "tenant", t.Tenant, "schedule", t.Schedule, "kind", args.Kind(), "error", err)
		case err != nil:
			return fmt.Errorf("enqueue tick of %s: %w", t.Schedule, err)
		}
	}
	return nil
}
