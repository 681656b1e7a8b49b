package app

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/work"
	"github.com/workflow-bolt/rounds/tasks"
)

// WorkerOptions say what a worker runs with. Config is required.
type WorkerOptions struct {
	Process
	Config config.Worker
	Flow   func(*flow.Options)        // adjusts flow control for demos and tests; defaults to nothing
	Ended  func(context.Context, Run) // called after every attempt; defaults to nothing
}

// Worker is the process that works on tasks.
type Worker struct {
	*base
	server   *queue.Server
	gate     *waker
	accounts *account.Accounts
	archive  *queue.Archive
}

// drain leaves the rest of the process half a second of the 8.5 s after which it has to be gone.
var drain = queue.Drain{Soft: 7 * time.Second, Hard: 7400 * time.Millisecond, Limit: 7900 * time.Millisecond}

// slots is how many background tasks a worker runs at once. Nearly all of them wait for the vendor,
// whose calls take seconds: one account at four calls a second has ten in flight.
const slots = 32

// NewWorker checks every dependency and wires the worker. It processes nothing before Run.
func NewWorker(ctx context.Context, o WorkerOptions) (_ *Worker, err error) {
	b, err := openBase(ctx, "rounds-worker", "worker", o.Process, o.Config.Base)
	if err != nil {
		return nil, err
	}
	defer b.rollback(ctx, &err)

	gate, err := b.openFlow(func(f *flow.Options) {
		f.Slots = slots
		if o.Flow != nil {
			o.Flow(f)
		}
	})
	if err != nil {
		return nil, err
	}
	wake := newWaker(gate, b.queue, b.log)
	accounts := account.New(account.Options{
		Ledger: b.ledger, Keys: b.keys, Gate: wake, Weigh: gate.SetWeight, Endpoint: o.Config.Endpoint,
		Insecure: o.Config.Mode == config.Dev,
	})
	wake.reload = accounts.Reload
	router, err := tasks.NewRouter(tasks.RouterOptions{
		Redis: b.queue, Keys: []byte(o.Config.Keyset.Reveal()), Bury: buryIn(b.ledger, b.log), Middleware: middleware, Logger: b.log,
	})
	if err != nil {
		return nil, err
	}
	err = work.Register(router, work.Deps{
		Account: accounts.Account, Reload: accounts.Reload, Store: b.store, Tasks: b.tasks, Ledger: b.ledger, Intervals: gate.SetIntervals,
		Retry: gate.Retry, OfRecord: gate.OfRecord, Now: b.now, Calendar: o.Clock.At, Logger: b.log,
	})
	if err != nil {
		return nil, err
	}
	ready, err := b.newGate(gate.HostOpen)
	if err != nil {
		return nil, err
	}
	server, err := queue.NewServer(queue.ServerOptions{
		Redis: b.queue, Logger: b.log, Drain: drain, Ready: ready.ready, Background: slots,
		Handler: pipeline{Router: router, telemetry: b.telemetry, gate: ready, ended: o.Ended},
	})
	if err != nil {
		return nil, err
	}
	return &Worker{base: b, server: server, gate: wake, accounts: accounts, archive: b.archiveOf(router)}, nil
}

// Run works until ctx ends, drains, and closes everything. It can be called once.
func (w *Worker) Run(ctx context.Context) error { return w.run(ctx, w.start) }

func (w *Worker) start(ctx context.Context) error {
	if err := w.serveHealth(ctx); err != nil {
		return err
	}
	if err := w.group.Go("archive", w.archive.Run); err != nil {
		return err
	}
	if err := errors.Join(w.group.Go("probes", w.probe), w.group.Go("tasks that wait for breakers", w.gate.run)); err != nil {
		return err
	}
	w.stack.Push("queue server", w.stop)
	if err := w.server.Start(); err != nil {
		return err
	}
	w.stack.Push("vendor calls", func(context.Context) error { w.gate.Drain(); return nil })
	w.stack.Push("readiness", func(context.Context) error { w.health.Drain(); return nil })
	w.health.Started()
	w.log.InfoContext(ctx, "worker ready")
	return nil
}

// probe repeats calls that are known to work, to find out whether the vendor does.
func (w *Worker) probe(ctx context.Context) error {
	return w.gate.Probe(ctx, func(ctx context.Context, id tenant.ID, operation string) error {
		a, err := w.accounts.Account(ctx, id)
		if err != nil {
			return err
		}
		return a.Vendor.Repeat(ctx, operation)
	})
}

// stop drains. Tasks that have not ended run again in another worker, so they are no failure of the
// process.
func (w *Worker) stop(ctx context.Context) error {
	if err := w.server.Stop(ctx); err != nil {
		w.log.WarnContext(ctx, "tasks are left to other workers", "error", err)
	}
	return nil
}
