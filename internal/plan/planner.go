package plan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

	decided map[string]time.Time // by tick schedule and tenant: ticks up to here are in the ledger
}

type rule struct {
	Schedule
	cron cron.Schedule
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
		decided: map[string]time.Time{},
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
			p.log.ErrorContext(ctx, "planning stopped, trying again", "error", err)
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

// sendBatch is how many due ticks one pass sends.
const sendBatch = 500

// Pass writes the ticks that are due by now into the ledger and enqueues every tick that is due and not sent, other
// schedulers' included. It can be repeated and interrupted at any point.
func (p *Planner) Pass(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	now := p.clock.Now()
	tenants, err := p.ledger.Tenants(ctx)
	if err != nil {
		return fmt.Errorf("read tenants: %w", err)
	}
	var due []ledger.Tick
	known := make(map[tenant.ID]*time.Location, len(tenants))
	for _, t := range tenants {
		zone, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			return fmt.Errorf("tenant %s: unknown time zone", t.ID)
		}
		known[t.ID] = zone
		ts, err := p.dueOf(ctx, t, zone, now)
		if err != nil {
			return err
		}
		due = append(due, ts...)
	}
	if len(due) > 0 {
		if _, err := p.ledger.AddDue(ctx, due); err != nil {
			return fmt.Errorf("write ticks: %w", err)
		}
	}
	for _, t := range tenants {
		for _, pr := range t.Practices {
			for _, r := range p.rules {
				p.decided[key(t.ID, r.Name, pr.ID)] = now
			}
		}
	}
	return p.send(ctx, known, now)
}

func (p *Planner) dueOf(ctx context.Context, t ledger.Tenant, zone *time.Location, now time.Time) ([]ledger.Tick, error) {
	var err error
	var out []ledger.Tick
	for _, pr := range t.Practices {
		for _, r := range p.rules {
			open := func(at time.Time) bool { return !r.Open || isOpen(t.Hours, at) }
			name := r.Name + "/" + pr.ID
			last, ok := p.decided[key(t.ID, r.Name, pr.ID)]
			if !ok {
				if last, ok, err = p.ledger.LastTick(ctx, t.ID, name); err != nil {
					return nil, fmt.Errorf("read last tick: %w", err)
				}
			}
			if !ok {
				// A practice that was never planned for gets everything once, open or not: nobody shall look at an
				// empty board until the door opens.
				out = append(out, ledger.Tick{Schedule: name, Tenant: t.ID, At: now.Truncate(time.Minute)})
				continue
			}
			for _, at := range ticks(r.cron, r.Missed, open, last, now, zone) {
				out = append(out, ledger.Tick{Schedule: name, Tenant: t.ID, At: at})
			}
		}
	}
	return out, nil
}

// isOpen reports whether the practice is open at t, in its own zone. One that never said when it is open is never closed:
// it must not be left without data.
func isOpen(h ledger.Hours, t time.Time) bool {
	if len(h) == 0 {
		return true
	}
	opens, closes, open := h.On(t.Weekday())
	wall := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return open && wall >= opens && wall < closes
}

func (p *Planner) send(ctx context.Context, known map[tenant.ID]*time.Location, now time.Time) error {
	due, err := p.ledger.Due(ctx, sendBatch)
	if err != nil {
		return fmt.Errorf("read due ticks: %w", err)
	}
	for _, t := range due {
		if zone, ok := known[t.Tenant]; ok {
			if err := p.enqueue(ctx, t, zone); err != nil {
				return err
			}
		}
		if err := p.ledger.MarkSent(ctx, t, now); err != nil {
			return fmt.Errorf("mark tick sent: %w", err)
		}
	}
	return nil
}

// enqueue sends one tick. The idempotency key makes a tick that two schedulers send, or one sends twice because it died
// before marking it, one demand. A tick of a schedule or practice that no longer exists sends nothing.
func (p *Planner) enqueue(ctx context.Context, t ledger.Tick, zone *time.Location) error {
	name, practice, _ := strings.Cut(t.Schedule, "/")
	for _, r := range p.rules {
		if r.Name != name {
			continue
		}
		for i, args := range r.Args(practice, t.At.In(zone)) {
			once := fmt.Sprintf("tick %s %d %d", t.Schedule, t.At.Unix(), i)
			if _, err := p.tasks.Enqueue(ctx, t.Tenant.String(), args, tasks.Once(once)); err != nil {
				return fmt.Errorf("enqueue %s: %w", name, err)
			}
		}
	}
	return nil
}

func key(t tenant.ID, schedule, practice string) string {
	return t.String() + " " + schedule + "/" + practice
}
