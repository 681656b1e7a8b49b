package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

func (f *foundation) openRedis(ctx context.Context, s settings) (err error) {
	f.queue, err = redisconn.Dial(s.redis.Queue.Reveal(), redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		return fmt.Errorf("ROUNDS_QUEUE_REDIS: %w", err)
	}
	f.stack.Push("queue redis", func(context.Context) error { return f.queue.Close() })
	f.cacheRdb, err = redisconn.Dial(s.redis.Cache.Reveal(), redisconn.Options{Role: redisconn.RoleCache})
	if err != nil {
		return fmt.Errorf("ROUNDS_CACHE_REDIS: %w", err)
	}
	f.stack.Push("cache redis", func(context.Context) error { return f.cacheRdb.Close() })

	production := s.mode == config.Production
	check := func(what string, rdb redis.UniversalClient, role redisconn.Role) (found []redisconn.Finding, err error) {
		err = lifecycle.WaitFor(ctx, f.log, s.wait, what, func(ctx context.Context) error {
			if found, err = redisconn.Check(ctx, rdb, role, production); err != nil {
				return lifecycle.Unreachable(what, err)
			}
			return nil
		})
		return found, err
	}
	queueFound, err := check("queue redis", f.queue, redisconn.RoleQueue)
	if err != nil {
		return err
	}
	cacheFound, err := check("cache redis", f.cacheRdb, redisconn.RoleCache)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	shared, err := redisconn.CheckShared(ctx, f.queue, f.cacheRdb, production)
	if err != nil {
		return lifecycle.Unreachable("redis", err)
	}
	return errors.Join(
		f.judge(ctx, "queue-redis", queueFound), f.judge(ctx, "cache-redis", cacheFound), f.judge(ctx, "redis", shared))
}

// judge logs what is merely worth knowing and refuses what must not be.
func (f *foundation) judge(ctx context.Context, where string, found []redisconn.Finding) error {
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

// runID knows the run id of the cache's server, by which the cache notices that it talks to another one than before.
type runID struct {
	rdb redis.UniversalClient
	log *slog.Logger
	id  atomic.Pointer[string]
}

func (r *runID) current() string {
	if id := r.id.Load(); id != nil {
		return *id
	}
	return ""
}

// runIDEvery is how long a failover may go unnoticed. Losing the server's data is noticed at once by other means: the
// tenant's epoch is lost with it.
const runIDEvery = time.Second

func (r *runID) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	id, err := redisconn.RunID(ctx, r.rdb)
	if err == nil {
		r.id.Store(&id)
	}
	return err
}

// follow keeps the run id current until ctx ends. A server that is away is logged once; its id stays the last known.
func (r *runID) follow(ctx context.Context) error {
	tick := time.NewTicker(runIDEvery)
	defer tick.Stop()
	for away := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := r.read(ctx)
		switch {
		case err != nil && !away && ctx.Err() == nil:
			r.log.WarnContext(ctx, "cache redis does not answer", "error", err)
		case err == nil && away:
			r.log.InfoContext(ctx, "cache redis answers again")
		}
		away = err != nil
	}
}
