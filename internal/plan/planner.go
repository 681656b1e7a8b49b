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
	"github.com/workflow-bolt/rounds/tasks"
)

// Options configure a Planner.
type Options struct {
	Ledger    *ledger.Ledger // Required.
	Tasks     *tasks.Client  // Required.
	Clock     Clock          // the calendar; defaults to real time
	Schedules []Schedule     // defaults to Standard
	Every     time.Duration  // real time between passes; defaults to 1 s
	Logger    *slog.Logger   // defaults to slog.Default
}

// Planner computes ticks and sends what is due. Its methods are for one goroutine; several planners, in one process or
// many, may share a ledger and a queue.
type Planner struct {
	ledger *ledger.Ledger
	tasks  *tasks.Client
	clock  Clock
	rules  []rule
	every  time.Duration
	log    *slog.Logger

	decided map[row]time.Time // ticks up to here are in the ledger; the zero time: it has none; none for what was never planned for
}

type rule struct {
	Schedule
	cron cron.Schedule
}

// tick is what the ledger calls the rule for one practice.
func (r rule) tick(practice string) string { return r.Name + "/" + practice }

// row is a schedule of a tenant as the ledger knows it.
type row struct {
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
		decided: map[row]time.Time{},
	}
	seen := map[string]bool{}
	for _, s := range o.Schedules {
		spec, err := parseSpec(s.Spec)
		switch {
		case err != nil:
			return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
		case s.Name == "" || strings.Contains(s.Name, "/") || seen[s.Name] || s.Args == nil:
			return nil, fmt.Errorf("plan: schedule %q needs a name of its own, without a slash, and Args", s.Name)
		}
		seen[s.Name] = true
		p.rules = append(p.rules, rule{Schedule: s, cron: spec})
	}
	return p, nil
}

// Run makes a pass every Options.Every until ctx ends, and then returns nil. A pass that fails is logged, once for a row
// of failures, and made again: Redis or the ledger being away must not end a scheduler.
func (p *Planner) Run(ctx context.Context) error {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	failing := false
	for {
		err := p.Pass(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			p.log.ErrorContext(ctx, "planning failed, trying again", "error", err)
		case err == nil && failing:
			p.log.InfoContext(ctx, "planning goes on")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// passTimeout bounds one pass: a ledger that hangs is a ledger that fails.
const passTimeout = 20 * time.Second

// addBatch is how many ticks are written at once; a first pass may have one for each schedule of each practice.
const addBatch = 1000

// place is a practice of a tenant.
type place struct {
	tenant   tenant.ID
	practice string
}

// Pass writes the ticks that are due by now into the ledger and enqueues every tick that is due and not sent, other
// schedulers' included. It can be repeated and interrupted at any point. A tenant whose zone this program does not know
// is an error and keeps nobody else from being planned for.
func (p *Planner) Pass(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	now := p.clock.Now()
	tenants, err := p.ledger.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	known := map[place]*time.Location{}
	var due []ledger.Tick
	var unknown error
	for _, t := range tenants {
		zone, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			unknown = errors.Join(unknown, fmt.Errorf("tenant %s: unknown time zone", t.ID))
			continue
		}
		if err := p.recall(ctx, t); err != nil {
			return err
		}
		for i, pr := range t.Practices {
			known[place{t.ID, pr.ID}] = zone
			for _, r := range p.rules {
				if i == 0 || !r.Account {
					due = p.plan(due, r, t, pr.ID, now.In(zone))
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
			p.decided[row{at.tenant, r.tick(at.practice)}] = now
		}
	}
	return errors.Join(unknown, p.send(ctx, known, now))
}

// recall learns from the ledger where the tenant's schedules stand that this planner has not decided on yet: all of them
// at its start, later those of practices that came along. A first pass that runs out of time goes on behind the tenants
// it has recalled.
func (p *Planner) recall(ctx context.Context, t ledger.Tenant) error {
	var fresh []row
	for _, pr := range t.Practices {
		for _, r := range p.rules {
			at := row{t.ID, r.tick(pr.ID)}
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

// plan appends the ticks of one schedule of one practice that have become due by now, which is in the practice's zone.
func (p *Planner) plan(due []ledger.Tick, r rule, t ledger.Tenant, practice string, now time.Time) []ledger.Tick {
	name := r.tick(practice)
	last := p.decided[row{t.ID, name}]
	switch {
	case last.IsZero() && r.Rest:
		return due // this pass is where it begins
	case last.IsZero():
		// A practice that was never planned for gets everything once, open or not: nobody shall look at an empty board
		// until the door opens.
		return append(due, ledger.Tick{Schedule: name, Tenant: t.ID, At: now.Truncate(time.Minute)})
	}
	open := func(at time.Time) bool { return !r.Open || IsOpen(t.Hours, at) }
	for _, at := range ticks(r.cron, r.Missed, open, last, now) {
		due = append(due, ledger.Tick{Schedule: name, Tenant: t.ID, At: at})
	}
	return due
}

// IsOpen reports whether the practice is open at t, in its own zone. One that never said when it is open is never closed:
// it must not be left without data.
func IsOpen(h ledger.Hours, t time.Time) bool {
	if len(h) == 0 {
		return true
	}
	opens, closes, open := h.On(t.Weekday())
	wall := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return open && wall >= opens && wall < closes
}
