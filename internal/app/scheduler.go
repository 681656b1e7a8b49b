package app

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/report"
	"github.com/workflow-bolt/rounds/internal/sweep"
)

// SchedulerOptions say what a scheduler runs with. Config is required.
type SchedulerOptions struct {
	Process
	Config config.Scheduler
	Every  time.Duration       // real time between two planning cycles; defaults to the planner's
	Flow   func(*flow.Options) // as the workers', whose budgets and breakers it reports
}

// Scheduler is the process that decides what is due. Any number may run.
type Scheduler struct {
	*base
	planner *plan.Planner
	report  *report.Reporter
	sweep   *sweep.Sweeper
}

// NewScheduler checks every dependency and wires the scheduler. It plans nothing before Run.
func NewScheduler(ctx context.Context, o SchedulerOptions) (_ *Scheduler, err error) {
	b, err := openBase(ctx, "rounds-scheduler", "scheduler", o.Process, o.Config.Base)
	if err != nil {
		return nil, err
	}
	defer b.rollback(ctx, &err)

	planner, err := plan.New(plan.Options{Ledger: b.ledger, Tasks: b.tasks, Clock: o.Clock, Every: o.Every, Logger: b.log})
	if err != nil {
		return nil, err
	}
	gate, err := b.openFlow(o.Flow)
	if err != nil {
		return nil, err
	}
	return &Scheduler{
		base: b, planner: planner,
		report: &report.Reporter{Queue: b.queue, Flow: gate, Ledger: b.ledger, Store: b.store, Now: b.now, Logger: b.log},
		sweep:  &sweep.Sweeper{Ledger: b.ledger, Cache: b.cache, Now: b.now, Logger: b.log},
	}, nil
}

// Run plans until ctx ends, and closes everything. It can be called once.
func (s *Scheduler) Run(ctx context.Context) error { return s.run(ctx, s.start) }

func (s *Scheduler) start(ctx context.Context) error {
	if err := s.serveHealth(ctx); err != nil {
		return err
	}
	s.stack.Push("readiness", func(context.Context) error { s.health.Drain(); return nil })
	err := errors.Join(s.group.Go("planner", s.planner.Run), s.group.Go("report", s.report.Run), s.group.Go("sweep", s.sweep.Run))
	if err != nil {
		return err
	}
	s.health.Started()
	s.log.InfoContext(ctx, "scheduler ready")
	return nil
}
