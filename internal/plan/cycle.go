package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
)

const (
	// cycleTimeout bounds one cycle, so that a ledger that hangs counts as one that fails.
	cycleTimeout = 20 * time.Second
	// addBatch is how many ticks are written at once; a first cycle may have one for each schedule
	// of each practice.
	addBatch = 1000
	// calendarSlack is how much the calendars of schedulers may differ. Ticks later than that do
	// not count, sent or not.
	calendarSlack = time.Minute
	// maxUnknownZones is how many zones a cycle leaves out of its query.
	maxUnknownZones = 100
)

// practiceKey is a practice of a tenant.
type practiceKey struct {
	tenant   tenant.ID
	practice string
}

// zones are the time zones of practices.
type zones struct {
	known   map[practiceKey]*time.Location
	unknown []string // names without rules on this machine
}

// cycle writes the ticks that are due by now into the ledger and enqueues every tick that is due
// and not sent, including those of other schedulers. It can be repeated and interrupted at any
// point. A practice whose zone is unknown is an error and does not keep the others from being
// planned for.
func (p *Planner) cycle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cycleTimeout)
	defer cancel()
	now, err := p.now(ctx)
	if err != nil {
		return err
	}
	if _, err := p.ledger.RecallTicks(ctx, now.Add(calendarSlack)); err != nil {
		return err
	}
	tenants, err := p.ledger.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	there, unknown := locate(tenants)
	var due []ledger.Tick
	for _, t := range tenants {
		if err := p.reload(ctx, t, now); err != nil {
			return err
		}
		due = p.plan(due, t, there, now)
	}
	for part := range slices.Chunk(due, addBatch) {
		if _, err := p.ledger.AddDue(ctx, part); err != nil {
			return fmt.Errorf("write ticks: %w", err)
		}
	}
	for at := range there.known {
		for _, r := range p.rules {
			p.decided[scheduleKey{at.tenant, r.tick(at.practice)}] = now
		}
	}
	return errors.Join(unknown, p.send(ctx, there, now))
}

// now returns the calendar's time. In real time that is the ledger's clock, which all schedulers
// share: a host's own may be days ahead, and a schedule's ticks would be sent before their time.
func (p *Planner) now(ctx context.Context) (time.Time, error) {
	if !p.clock.isReal() {
		return p.clock.Now(), nil
	}
	now, err := p.ledger.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	ahead := time.Since(now)
	wrong := ahead.Abs() > calendarSlack
	if wrong && !p.skewed {
		p.log.WarnContext(ctx, "clock differs from the ledger's; planning by the ledger's", "duration", ahead)
	}
	p.skewed = wrong
	return now, nil
}

// locate returns the zones of all practices, and an error that names the practices in unknown ones.
func locate(tenants []ledger.Tenant) (zones, error) {
	there := zones{known: map[practiceKey]*time.Location{}}
	var unknown error
	for _, t := range tenants {
		for _, pr := range t.Practices {
			name := t.ZoneOf(pr)
			loc, err := zone.Load(name)
			if err == nil {
				there.known[practiceKey{t.ID, pr.ID}] = loc
				continue
			}
			unknown = errors.Join(unknown, fmt.Errorf("practice %s of tenant %s: %w", pr.ID, t.ID, err))
			if len(there.unknown) < maxUnknownZones && !slices.Contains(there.unknown, name) {
				there.unknown = append(there.unknown, name)
			}
		}
	}
	return there, unknown
}

// reload reads from the ledger up to when those schedules of the tenant are decided that this
// planner has not read yet: all of them at its start, later those of new practices, and all again
// after the clock jumped back. Ticks later than now do not count: a calendar that was ahead added
// them. If a first cycle runs out of time, the next one continues after the tenants that were read.
func (p *Planner) reload(ctx context.Context, t ledger.Tenant, now time.Time) error {
	var fresh, waiting []string // waiting are those that skip their first tick
	for _, pr := range t.Practices {
		for _, r := range p.rules {
			name := r.tick(pr.ID)
			if decided, ok := p.decided[scheduleKey{t.ID, name}]; ok && !decided.After(now) {
				continue
			}
			fresh = append(fresh, name)
			if r.SkipFirst {
				waiting = append(waiting, name)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	last, err := p.ledger.LastTicks(ctx, t.ID, now)
	if err != nil {
		return fmt.Errorf("read last ticks: %w", err)
	}
	if err := p.begin(ctx, t.ID, waiting, last, now); err != nil {
		return err
	}
	for _, name := range fresh {
		p.decided[scheduleKey{t.ID, name}] = last[name]
	}
	return nil
}

// begin adds to last when the given schedules began that have no tick yet. One that has not begun
// begins now. Planners that start after its first tick read that they missed it.
func (p *Planner) begin(ctx context.Context, id tenant.ID, schedules []string, last map[string]time.Time, now time.Time) error {
	schedules = slices.DeleteFunc(schedules, func(name string) bool { return !last[name].IsZero() })
	if len(schedules) == 0 {
		return nil
	}
	began, err := p.ledger.Beginnings(ctx, id)
	if err != nil {
		return err
	}
	var beginning []string
	for _, name := range schedules {
		at, ok := began[name]
		if !ok || at.After(now) {
			at = now
			beginning = append(beginning, name)
		}
		last[name] = at
	}
	return p.ledger.Begin(ctx, id, beginning, now)
}

// plan appends the ticks of a tenant's practices that have become due by now.
func (p *Planner) plan(due []ledger.Tick, t ledger.Tenant, there zones, now time.Time) []ledger.Tick {
	account := "" // the practice in whose zone the account's schedules are planned
	for _, pr := range t.Practices {
		loc := there.known[practiceKey{t.ID, pr.ID}]
		if loc == nil {
			continue
		}
		account = cmp.Or(account, pr.ID)
		for _, r := range p.rules {
			if r.Account && pr.ID != account {
				continue
			}
			name := r.tick(pr.ID)
			if at := r.due(t.Hours, p.decided[scheduleKey{t.ID, name}], now.In(loc)); !at.IsZero() {
				due = append(due, ledger.Tick{Schedule: name, Tenant: t.ID, At: at, Added: now})
			}
		}
	}
	return due
}
