package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/tasks"
)

// ErrDependency marks the errors of a process that cannot start because something it depends on does not answer. A process
// that ends with it exits with 6.
var ErrDependency error = away{}

type away struct{}

func (away) Error() string { return "a dependency does not answer" }
func (away) ExitCode() int { return 6 }

// errUnsuitable marks a dependency that answers and must not be used as it is set up.
var errUnsuitable = errors.New("a dependency is set up in a way that loses data")

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
	ledger  config.Secret
	keyset  config.Secret
	tenants []config.Tenant
}

// foundation is what every process that touches data stands on.
type foundation struct {
	stack     *lifecycle.Stack
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

	f.telemetry, err = telemetry.Setup(ctx, telemetry.Options{Service: p.name, Version: p.version, Getenv: p.getenv, Endpoint: p.collector})
	if err != nil {
		return nil, err
	}
	f.stack.Push("telemetry", f.telemetry.Shutdown)

	if f.keys, err = phi.Parse([]byte(s.keyset.Reveal())); err != nil {
		return nil, fmt.Errorf("ROUNDS_KEYS: %w", err)
	}
	if err = f.openRedis(ctx, s); err != nil {
		return nil, err
	}
	if err = f.openLedger(ctx, s); err != nil {
		return nil, err
	}
	run := &runID{}
	if err = run.follow(ctx, f.cacheRdb, f.stack, p.log); err != nil {
		return nil, dependency("cache redis", err)
	}
	keys := &dataKeys{ledger: f.ledger, keys: f.keys}
	f.cache, err = cache.New(cache.Options{Redis: f.cacheRdb, Key: keys.key, Sealer: f.keys.For, RunID: run.current})
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

func (f *foundation) openRedis(ctx context.Context, s settings) (err error) {
	f.queue, err = queue.Dial(s.redis.Queue.Reveal(), queue.DialOptions{Role: queue.RoleQueue})
	if err != nil {
		return fmt.Errorf("ROUNDS_QUEUE_REDIS: %w", err)
	}
	f.stack.Push("queue redis", func(context.Context) error { return f.queue.Close() })
	f.cacheRdb, err = queue.Dial(s.redis.Cache.Reveal(), queue.DialOptions{Role: queue.RoleCache})
	if err != nil {
		return fmt.Errorf("ROUNDS_CACHE_REDIS: %w", err)
	}
	f.stack.Push("cache redis", func(context.Context) error { return f.cacheRdb.Close() })

	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	production := s.mode == config.Production
	queueFound, err := queue.Check(ctx, f.queue, queue.RoleQueue, production)
	if err != nil {
		return dependency("queue redis", err)
	}
	cacheFound, err := queue.Check(ctx, f.cacheRdb, queue.RoleCache, production)
	if err != nil {
		return dependency("cache redis", err)
	}
	shared, err := queue.CheckShared(ctx, f.queue, f.cacheRdb, production)
	if err != nil {
		return dependency("redis", err)
	}
	return errors.Join(
		f.judge(ctx, "queue-redis", queueFound), f.judge(ctx, "cache-redis", cacheFound), f.judge(ctx, "redis", shared))
}

// judge logs what is merely worth knowing and refuses what must not be.
func (f *foundation) judge(ctx context.Context, where string, found []queue.Finding) error {
	var errs []error
	for _, finding := range found {
		if finding.Fatal {
			errs = append(errs, fmt.Errorf("%s: %w: %s", where, errUnsuitable, finding.Text))
			continue
		}
		f.log.WarnContext(ctx, "redis is not set up for production", "component", where, "code", finding.Code, "error", errors.New(finding.Text))
	}
	return errors.Join(errs...)
}

func (f *foundation) openLedger(ctx context.Context, s settings) (err error) {
	openCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	f.ledger, err = ledger.Open(openCtx, s.ledger.Reveal())
	switch {
	case errors.Is(err, ledger.ErrURL):
		return fmt.Errorf("ROUNDS_LEDGER: %w", err)
	case err != nil:
		return dependency("ledger", err)
	}
	f.stack.Push("ledger", func(context.Context) error { return f.ledger.Close() })
	if err := f.ledger.Migrate(ctx); err != nil {
		return dependency("ledger", err)
	}
	return f.applyTenants(ctx, s.tenants)
}

func dependency(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrDependency, err)
}

// runID knows the run id of the cache's server, by which the cache notices that it talks to another one than before.
type runID struct{ id atomic.Pointer[string] }

func (r *runID) current() string {
	if id := r.id.Load(); id != nil {
		return *id
	}
	return ""
}

// runIDEvery is how long a failover may go unnoticed. Losing the server's data is noticed at once by other means: the
// tenant's epoch is lost with it.
const runIDEvery = time.Second

// follow reads the run id now and keeps it current until the stack is closed.
func (r *runID) follow(ctx context.Context, rdb redis.UniversalClient, stack *lifecycle.Stack, log *slog.Logger) error {
	read := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, startTimeout)
		defer cancel()
		id, err := queue.RunID(ctx, rdb)
		if err == nil {
			r.id.Store(&id)
		}
		return err
	}
	if err := read(ctx); err != nil {
		return err
	}
	group := lifecycle.NewGroup(context.WithoutCancel(ctx))
	stack.Push("run id", group.Stop)
	return group.Go("run id", func(ctx context.Context) error {
		tick := time.NewTicker(runIDEvery)
		defer tick.Stop()
		for away := false; ; {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			err := read(ctx)
			if err != nil && !away && ctx.Err() == nil {
				log.WarnContext(ctx, "cache redis does not answer", "error", err)
			}
			away = err != nil
		}
	})
}
