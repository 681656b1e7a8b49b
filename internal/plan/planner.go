package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// Options configure a Planner.
type Options struct {
	Ledger    *ledger.Ledger // Required.
	Tasks     *tasks.Client  // Required.
	Clock     Clock          // the calendar's time; defaults to real time
	Schedules []Schedule     // defaults to Standard
	Every     time.Duration  // real time between cycles; defaults to 1 s
	Logger    *slog.Logger   // defaults to slog.Default
}

// Planner computes ticks and sends what is due. Its methods are for one goroutine; several
// planners, in one process or many, may share a ledger and a queue.
type Planner struct {
	ledger *ledger.Ledger
	tasks  *tasks.Client
	clock  Clock
	rules  []rule
	every  time.Duration
	log    *slog.Logger

	// decided is the time up to which each schedule's ticks are in the ledger, zero if there are
	// none. A schedule that this planner has not read from the ledger yet has no element.
	decided map[scheduleKey]time.Time
}

type rule struct {
	Schedule
	cron cron.Schedule
}

// tick is the rule's name in the ledger for one practice.
func (r rule) tick(practice string) string { return r.Name + "/" + practice }

// scheduleKey is a schedule of a tenant in the ledger.
type scheduleKey struct {
	tenant   tenant.ID
	schedule string
}

// New checks the schedules and returns a Planner.
func New(o Options) (*Planner, error) {
	if o.Ledger == nil || o.Tasks == nil {
		return nil, errors.New("plan: Ledger and Tasks are required")
	}
	if o.Schedules == nil {
		o.Schedules = Standard()
	}
	if o.Every <= 0 {
		o.Every = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	p := &Planner{
		ledger: o.Ledger, tasks: o.Tasks, clock: o.Clock, every: o.Every, log: o.Logger,
		decided: map[scheduleKey]time.Time{},
	}
	seen := map[string]bool{}
	for _, s := range o.Schedules {
		spec, err := parseSpec(s.Spec)
		switch {
		case err != nil:
			return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
		case s.Name == "" || strings.Contains(s.Name, "/") || seen[s.Name] || s.Args == nil:
			return nil, fmt.Errorf("plan: schedule %q needs a unique name without a slash, and Args", s.Name)
		}
		seen[s.Name] = true
		p.rules = append(p.rules, rule{Schedule: s, cron: spec})
	}
	return p, nil
}

// Run makes a cycle every Options.Every until ctx ends, and then returns nil. A cycle that fails is
// repeated, because an unreachable Redis or ledger must not end a scheduler; a series of failures
// is logged once.
func (p *Planner) Run(ctx context.Context) error {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	failing := false
	for {
		err := p.cycle(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			p.log.ErrorContext(ctx, "planning failed, trying again", "error", err)
		case err == nil && failing:
			p.log.InfoContext(ctx, "planning resumed")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// cycleTimeout bounds one cycle, so that a ledger that hangs counts as one that fails.
const cycleTimeout = 20 * time.Second

// addBatch is how many ticks are written at once; a first cycle may have one for each schedule of
// each practice.
const addBatch = 1000

// practiceKey is a practice of a tenant.
type practiceKey struct {
	tenant   tenant.ID
	practice string
}

// cycle writes the ticks that are due by now into the ledger and enqueues every tick that is due
// and not sent, including those of other schedulers. It can be repeated and interrupted at any
// point. A practice whose zone is unknown is an error and does not keep the others from being
// planned for.
func (p *Planner) cycle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, cycleTimeout)
	defer cancel()
	now := p.clock.Now()
	tenants, err := p.ledger.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	known := map[practiceKey]*time.Location{}
	var due []ledger.Tick
	var unknown error
	for _, t := range tenants {
		if err := p.reload(ctx, t); err != nil {
			return err
		}
		for i, pr := range t.Practices {
			there, err := zone.Load(t.ZoneOf(pr))
			if err != nil {
				unknown = errors.Join(unknown, fmt.Errorf("practice %s of tenant %s: %w", pr.ID, t.ID, err))
				continue
			}
			known[practiceKey{t.ID, pr.ID}] = there
			for _, r := range p.rules {
				if i == 0 || !r.Account {
					due = p.plan(due, r, t, pr.ID, now.In(there))
				}
			}
		}
	}
	for part := range slices.Chunk(due, addBatch) {
		if _, err := p.ledger.AddDue(ctx, part); err != nil {
			return fmt.Errorf("write ticks: %w", err)
		}
	}
	for at := range known {
		for _, r := range p.rules {
			p.decided[scheduleKey{at.tenant, r.tick(at.practice)}] = now
		}
	}
	return errors.Join(unknown, p.send(ctx, known, now))
}

// reload reads from the ledger the last ticks of those schedules of the tenant that this planner
// has not read yet: all of them at its start, later those of new practices. If a first cycle runs
// out of time, the next one continues after the tenants that were read.
func (p *Planner) reload(ctx context.Context, t ledger.Tenant) error {
	var fresh []scheduleKey
	for _, pr := range t.Practices {
		for _, r := range p.rules {
			at := scheduleKey{t.ID, r.tick(pr.ID)}
			if _, ok := p.decided[at]; !ok {
				fresh = append(fresh, at)
			}
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	last, err := p.ledger.LastTicks(ctx, t.ID)
	if err != nil {
		return fmt.Errorf("read last ticks: %w", err)
	}
	for _, at := range fresh {
		p.decided[at] = last[at.schedule]
	}
	return nil
}

// plan appends the tick of one schedule of one practice that has become due by now, if any. now is
// in the practice's zone.
func (p *Planner) plan(due []ledger.Tick, r rule, t ledger.Tenant, practice string, now time.Time) []ledger.Tick {
	name := r.tick(practice)
	last := p.decided[scheduleKey{t.ID, name}]
	switch {
	case last.IsZero() && r.SkipFirst:
		return due // its ticks begin after this cycle
	case last.IsZero():
		// A practice that was never planned for gets everything once, open or not, so that its
		// board is not empty until the practice opens.
		return append(due, ledger.Tick{Schedule: name, Tenant: t.ID, At: now.Truncate(time.Minute)})
	}
	open := func(at time.Time) bool { return !r.Open || IsOpen(t.Hours, at) }
	if at := latestTick(r.cron, open, last, now); !at.IsZero() {
		due = append(due, ledger.Tick{Schedule: name, Tenant: t.ID, At: at})
	}
	return due
}

// IsOpen reports whether the practice is open at t, which is in the practice's zone. A practice
// without hours is always open, so that it is never left without data.
func IsOpen(h ledger.Hours, t time.Time) bool {
	if len(h) == 0 {
		return true
	}
	opens, closes, open := h.On(t.Weekday())
	wall := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return open && wall >= opens && wall < closes
}
