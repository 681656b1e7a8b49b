package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/tasks"
)

// startTimeout bounds the first contact with each dependency, so that a start fails within five seconds of saying so.
const startTimeout = 4 * time.Second

// process is what the caller of every constructor says about the process itself.
type process struct {
	name    string // service name
	version string
	log     *slog.Logger
	getenv  func(string) string
	// collector, unless empty, is where spans go whatever the environment says.
	collector string
}

// settings is where everything lies.
type settings struct {
	mode    config.Mode
	redis   config.Redis
	ledger  secret.Value
	keyset  secret.Value
	tenants []config.Tenant
	wait    time.Duration // for Redis and the ledger, at start
}

// foundation is what every process that touches data stands on.
type foundation struct {
	stack *lifecycle.Stack
	// group runs what goes on beside the work. When one of it fails, the process cannot do its work and ends.
	group     *lifecycle.Group
	log       *slog.Logger
	telemetry *telemetry.Telemetry
	queue     redis.UniversalClient
	cacheRdb  redis.UniversalClient
	keys      *phi.Keys
	ledger    *ledger.Ledger
	cache     *cache.Cache
	store     *practice.Store
	tasks     *tasks.Client
}

// lay makes the foundation. Closing the stack undoes it, also after an error.
func lay(ctx context.Context, p process, s settings) (_ *foundation, err error) {
	f := &foundation{stack: &lifecycle.Stack{Logger: p.log}, log: p.log}
	defer f.stack.Rollback(context.WithoutCancel(ctx), &err)

	t, shutdown, err := export.Setup(ctx, export.Options{Service: p.name, Version: p.version, Getenv: p.getenv, Endpoint: p.collector})
	if err != nil {
		return nil, err
	}
	f.telemetry = t
	f.stack.Push("telemetry", shutdown)
	f.group = lifecycle.NewGroup(telemetry.With(context.WithoutCancel(ctx), f.telemetry))

	if f.keys, err = phi.Parse([]byte(s.keyset.Reveal())); err != nil {
		return nil, fmt.Errorf("ROUNDS_KEYS: %w", err)
	}
	if err = f.openRedis(ctx, s); err != nil {
		return nil, err
	}
	if err = f.openLedger(ctx, s); err != nil {
		return nil, err
	}
	f.stack.Push("background", f.group.Stop)
	run := redisconn.NewRunIDWatch(f.cacheRdb, p.log)
	if err = run.Read(ctx); err != nil {
		return nil, lifecycle.Unreachable("cache redis", err)
	}
	if err = f.group.Go("run id", run.Run); err != nil {
		return nil, err
	}
	keys := account.NewDataKeys(f.ledger, f.keys)
	f.cache, err = cache.New(cache.Options{Redis: f.cacheRdb, Key: keys.Key, Sealer: f.keys.For, RunID: run.Current})
	if err != nil {
		return nil, err
	}
	f.store = practice.NewStore(f.cache, f.keys)
	f.tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: f.queue, Keys: []byte(s.keyset.Reveal())})
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (f *foundation) openLedger(ctx context.Context, s settings) error {
	err := lifecycle.WaitFor(ctx, f.log, s.wait, "ledger", func(ctx context.Context) (err error) {
		f.ledger, err = ledger.Open(ctx, s.ledger.Reveal())
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
	f.stack.Push("ledger", func(context.Context) error { return f.ledger.Close() })
	if err := f.ledger.Migrate(ctx); err != nil {
		return lifecycle.Unreachable("ledger", err)
	}
	return account.Apply(ctx, f.ledger, f.keys, s.tenants, f.log)
}

// run starts the process, lets it work until ctx ends or something in its background fails, and closes everything.
func (f *foundation) run(ctx context.Context, start func(context.Context) error) error {
	ctx = telemetry.With(ctx, f.telemetry)
	err := lifecycle.Run(ctx, grace, lifecycle.Service{Start: start, Stop: f.stack.Close, Failed: f.group.Failed()})
	// What did not start, because it could not or was told to stop before, is closed all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(err, f.stack.Close(ctx))
}

// serve serves the probes unless the address is empty.
func (f *foundation) serve(ctx context.Context, addr string, h *lifecycle.Health) error {
	if addr == "" {
		return nil
	}
	s, err := lifecycle.Serve(ctx, addr, h.Handler())
	if err != nil {
		return errors.Join(errors.New("ROUNDS_HEALTH_ADDR cannot be listened on"), err)
	}
	f.stack.Push("health", s.Stop)
	return f.watch("health", s)
}

// watch ends the process when the server stops serving by itself.
func (f *foundation) watch(name string, s *lifecycle.Server) error {
	return f.group.Go(name, func(ctx context.Context) error {
		select {
		case err := <-s.Failed():
			return err
		case <-ctx.Done():
			return nil
		}
	})
}
