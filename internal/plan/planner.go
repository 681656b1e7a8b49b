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
	names  []string // of the rules
	every  time.Duration
	log    *slog.Logger

	// decided is the time up to which each schedule's ticks are in the ledger, zero if there are
	// none. A schedule that this planner has not read from the ledger yet has no element.
	decided map[scheduleKey]time.Time
	skewed  bool // the host's clock differs from the ledger's, and that was logged
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

// maxName is how many bytes a schedule's name has at most.
const maxName = 64

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
	for _, s := range o.Schedules {
		spec, err := parseSpec(s.Spec)
		switch {
		case err != nil:
			return nil, fmt.Errorf("schedule %s: %w", s.Name, err)
		case s.Name == "" || len(s.Name) > maxName || strings.Contains(s.Name, "/") || slices.Contains(p.names, s.Name) || s.Args == nil:
			return nil, fmt.Errorf("plan: schedule %q needs a unique name of at most %d bytes without a slash, and Args", s.Name, maxName)
		}
		p.names = append(p.names, s.Name)
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
