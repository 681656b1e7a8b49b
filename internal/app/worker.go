package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/work"
	"github.com/workflow-bolt/rounds/tasks"
)

// grace is how long a process may take to stop: the queue's drain of 8.5 s and what is closed after it, within the ten
// seconds that the platform gives after SIGTERM.
const grace = 9500 * time.Millisecond

// WorkerOptions say what a worker runs with. Config is required.
type WorkerOptions struct {
	Config    config.Worker
	Version   string
	Logger    *slog.Logger               // defaults to none
	Getenv    func(string) string        // for the OTEL variables; defaults to none set
	Collector string                     // base URL to send spans to, instead of what the OTEL variables say
	Clock     plan.Clock                 // the calendar; real time unless a demo speeds it up
	Flow      func(*flow.Options)        // scales flow control for demos; defaults to nothing
	Ended     func(context.Context, Run) // is told of every attempt that ended; defaults to nothing
}

// Worker is the process that works on tasks.
type Worker struct {
	base   *foundation
	server *queue.Server
	health *lifecycle.Health
	addr   string
}

// NewWorker checks every dependency and wires the worker. It processes nothing before Run.
func NewWorker(ctx context.Context, o WorkerOptions) (_ *Worker, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	base, err := lay(ctx, process{name: "rounds-worker", version: o.Version, log: o.Logger, getenv: o.Getenv, collector: o.Collector}, settings{
		mode: o.Config.Mode, redis: o.Config.Redis, ledger: o.Config.LedgerURL, keyset: o.Config.Keyset, tenants: o.Config.Tenants,
		wait: o.Config.StartWait,
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	defer base.stack.Rollback(context.WithoutCancel(ctx), &err)

	pace := flow.Options{Redis: base.queue}
	if o.Flow != nil {
		o.Flow(&pace)
	}
	gate, err := flow.New(pace)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	accounts := account.New(account.Options{
		Ledger: base.ledger, Keys: base.keys, Gate: gate, Endpoint: o.Config.Endpoint, Insecure: o.Config.Mode == config.Dev,
	})
	router, err := tasks.NewRouter(tasks.RouterOptions{
		Redis: base.queue, Keys: []byte(o.Config.Keyset.Reveal()), Bury: buryIn(base.ledger, o.Logger), Around: around,
		Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	err = work.Register(router, work.Deps{
		Account: accounts.Account, Store: base.store, Tasks: base.tasks, Ledger: base.ledger, Intervals: gate.SetIntervals,
		Now: o.Clock.Now, Logger: o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	server, err := queue.NewServer(queue.ServerOptions{
		Redis: base.queue, Logger: o.Logger,
		Handler: pipeline{Router: router, telemetry: base.telemetry, ended: o.Ended},
	})
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return &Worker{base: base, server: server, health: &lifecycle.Health{}, addr: o.Config.Health}, nil
}

// Run works until ctx ends, drains, and closes everything. It can be called once.
func (w *Worker) Run(ctx context.Context) error { return w.base.run(ctx, w.start) }

func (w *Worker) start(ctx context.Context) error {
	if err := w.base.serve(ctx, w.addr, w.health); err != nil {
		return err
	}
	w.base.stack.Push("queue server", w.server.Stop)
	if err := w.server.Start(); err != nil {
		return err
	}
	w.base.stack.Push("readiness", func(context.Context) error { w.health.Drain(); return nil })
	w.health.Started()
	w.base.log.InfoContext(ctx, "worker takes tasks")
	return nil
}

// Close closes a worker that is not going to run.
func (w *Worker) Close(ctx context.Context) error { return w.base.stack.Close(ctx) }
