package app

import (
	"context"
	"errors"
	"fmt"

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
		redisconn.Enforce(ctx, f.log, "queue-redis", queueFound), redisconn.Enforce(ctx, f.log, "cache-redis", cacheFound),
		redisconn.Enforce(ctx, f.log, "redis", shared))
}
