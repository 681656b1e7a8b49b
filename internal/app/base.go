package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/tasks"
)

// grace is how long a process may take to stop. With the time until a loaded host runs it again, it
// is gone within 8.5 s, and surely within the ten seconds that the platform allows after SIGTERM.
const grace = 8400 * time.Millisecond

// Process is what every process runs with besides its configuration. The zero value is usable.
type Process struct {
	Version   string
	Logger    *slog.Logger        // defaults to none
	Getenv    func(string) string // for the OTEL variables; defaults to none set
	Collector string              // base URL to send spans to, instead of what the OTEL variables say
	Clock     plan.Clock          // the calendar; real time unless a demo speeds it up
}

// base is what every process is built on: the stores, and what is made of them alone.
type base struct {
	name  string
	stack *lifecycle.Stack
	// group runs the process's background work. When a part of it fails, the process ends.
	group      *lifecycle.Group
	health     lifecycle.Health
	healthAddr string

	log       *slog.Logger
	now       func() time.Time
	telemetry *telemetry.Telemetry
	queue     redis.UniversalClient
	cacheRdb  redis.UniversalClient
	keys      *phi.Keys
	ledger    *ledger.Ledger
	cache     *cache.Cache
	store     *practice.Store
	tasks     *tasks.Client
}

// openBase checks every dependency and opens it. Closing the stack undoes it. The process reports
// as service, and its errors begin with name.
func openBase(ctx context.Context, service, name string, p Process, c config.Base) (_ *base, err error) {
	log := cmp.Or(p.Logger, slog.New(slog.DiscardHandler))
	b := &base{name: name, stack: &lifecycle.Stack{Logger: log}, healthAddr: c.Health, log: log, now: p.Clock.Now}
	defer b.rollback(ctx, &err)

	t, shutdown, err := export.Setup(ctx, export.Options{Service: service, Version: p.Version, Getenv: p.Getenv, Endpoint: p.Collector, Logger: log})
	if err != nil {
		return nil, err
	}
	b.telemetry = t
	b.stack.Push("telemetry", func(ctx context.Context) error {
		if err := shutdown(ctx); err != nil {
			log.WarnContext(ctx, "telemetry is incomplete", "error", err) // no reason to fail
		}
		return nil
	})
	b.group = lifecycle.NewGroup(telemetry.With(context.WithoutCancel(ctx), t))
	if b.keys, err = phi.Parse([]byte(c.Keyset.Reveal())); err != nil {
		return nil, fmt.Errorf("ROUNDS_KEYS: %w", err)
	}
	if err = b.openRedis(ctx, c); err != nil {
		return nil, err
	}
	if err = b.openLedger(ctx, c); err != nil {
		return nil, err
	}
	b.stack.Push("background", b.group.Stop)
	if err = b.openCache(); err != nil {
		return nil, err
	}
	b.tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: b.queue, Keys: []byte(c.Keyset.Reveal())})
	return b, err
}

// rollback closes what was opened when a constructor ends with an error, and names the process in
// it.
func (b *base) rollback(ctx context.Context, err *error) {
	if *err != nil {
		*err = fmt.Errorf("%s: %w", b.name, *err)
	}
	b.stack.Rollback(context.WithoutCancel(ctx), err)
}

func (b *base) openLedger(ctx context.Context, c config.Base) error {
	err := lifecycle.WaitFor(ctx, b.log, c.StartWait, "ledger", func(ctx context.Context) (err error) {
		b.ledger, err = ledger.Open(ctx, c.LedgerURL.Reveal())
		switch {
		case errors.Is(err, ledger.ErrURL):
			return fmt.Errorf("ROUNDS_LEDGER: %w", err)
		case err != nil:
			return lifecycle.Unreachable("ledger", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	b.stack.Push("ledger", func(context.Context) error { return b.ledger.Close() })
	if err := b.ledger.Migrate(ctx); err != nil {
		return lifecycle.Unreachable("ledger", err)
	}
	return account.Apply(ctx, b.ledger, b.keys, c.Tenants, b.log)
}

func (b *base) openCache() (err error) {
	dataKeys := account.NewDataKeys(b.ledger, b.keys)
	b.cache, err = cache.New(cache.Options{Redis: b.cacheRdb, Key: dataKeys.Key, Sealer: b.keys.For})
	if err != nil {
		return err
	}
	b.store = practice.NewStore(b.cache, b.keys)
	return nil
}

// openFlow returns flow control, with options that a demo or a test has adjusted.
func (b *base) openFlow(adjust func(*flow.Options)) (*flow.Flow, error) {
	o := flow.Options{Redis: b.queue}
	if adjust != nil {
		adjust(&o)
	}
	return flow.New(o)
}

// run starts the process, lets it work until ctx ends or a part of its background fails, and closes
// everything.
func (b *base) run(ctx context.Context, start func(context.Context) error) error {
	ctx = telemetry.With(ctx, b.telemetry)
	err := lifecycle.Run(ctx, grace, lifecycle.Service{Start: start, Stop: b.stack.Close, Failed: b.group.Failed()})
	// Close also what did not start, because the start failed or ctx had ended before it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, b.stack.Close(ctx))
}

// serveHealth serves the probes unless the configuration turns them off.
func (b *base) serveHealth(ctx context.Context) error {
	if b.healthAddr == "" {
		return nil
	}
	s, err := lifecycle.Serve(ctx, b.healthAddr, b.health.Handler())
	if err != nil {
		return errors.Join(errors.New("ROUNDS_HEALTH_ADDR cannot be listened on"), err)
	}
	b.stack.Push("health", s.Stop)
	return s.Watch(b.group, "health")
}

// Close closes a process that is not going to run.
func (b *base) Close(ctx context.Context) error { return b.stack.Close(ctx) }
