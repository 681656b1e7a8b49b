package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/report"
	"github.com/workflow-bolt/rounds/internal/sweep"
)

// SchedulerOptions say what a scheduler runs with. Config is required.
type SchedulerOptions struct {
	Config    config.Scheduler
	Version   string
	Logger    *slog.Logger        // defaults to none
	Getenv    func(string) string // for the OTEL variables; defaults to none set
	Collector string              // base URL to send spans to, instead of what the OTEL variables say
	Clock     plan.Clock          // the calendar; real time unless a demo speeds it up
	Every     time.Duration       // real time between passes; defaults to the planner's
	Flow      func(*flow.Options) // as the workers', whose budgets and breakers it reports
}

// Scheduler is the process that decides what is due. Any number may run.
type Scheduler struct {
	base    *foundation
	planner *plan.Planner
	report  *report.Reporter
	sweep   *sweep.Sweeper
	health  *lifecycle.Health
	addr    string
}

// NewScheduler checks every dependency and wires the scheduler. It plans nothing before Run.
func NewScheduler(ctx context.Context, o SchedulerOptions) (_ *Scheduler, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := lay(ctx, process{name: "rounds-scheduler", version: o.Version, log: o.Logger, getenv: o.Getenv, collector: o.Collector}, settings{
		mode: o.Config.Mode, redis: o.Config.Redis, ledger: o.Config.LedgerURL, keyset: o.Config.Keyset, tenants: o.Config.Tenants,
		wait: o.Config.StartWait,
	})
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	defer base.stack.Rollback(context.WithoutCancel(ctx), &err)

	planner, err := plan.New(plan.Options{Ledger: base.ledger, Tasks: base.tasks, Clock: o.Clock, Every: o.Every, Logger: o.Logger})
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	pace := flow.Options{Redis: base.queue}
	if o.Flow != nil {
		o.Flow(&pace)
	}
	gate, err := flow.New(pace)
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	return &Scheduler{
		base: base, planner: planner, health: &lifecycle.Health{}, addr: o.Config.Health,
		report: &report.Reporter{Queue: base.queue, Flow: gate, Ledger: base.ledger, Store: base.store, Now: o.Clock.Now, Logger: o.Logger},
		sweep:  &sweep.Sweeper{Ledger: base.ledger, Cache: base.cache, Now: o.Clock.Now, Logger: o.Logger},
	}, nil
}

// Run plans until ctx ends, and closes everything. It can be called once.
func (s *Scheduler) Run(ctx context.Context) error { return s.base.run(ctx, s.start) }

func (s *Scheduler) start(ctx context.Context) error {
	if err := s.base.serve(ctx, s.addr, s.health); err != nil {
		return err
	}
	s.base.stack.Push("readiness", func(context.Context) error { s.health.Drain(); return nil })
	err := errors.Join(s.base.group.Go("planner", s.planner.Run), s.base.group.Go("report", s.report.Run), s.base.group.Go("sweep", s.sweep.Run))
	if err != nil {
		return err
	}
	s.health.Started()
	s.base.log.InfoContext(ctx, "scheduler plans")
	return nil
}
