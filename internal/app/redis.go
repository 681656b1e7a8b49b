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

func (b *base) openRedis(ctx context.Context, c config.Base) (err error) {
	b.queue, err = redisconn.Dial(c.Redis.Queue.Reveal(), redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		return fmt.Errorf("ROUNDS_QUEUE_REDIS: %w", err)
	}
	b.stack.Push("queue redis", func(context.Context) error { return b.queue.Close() })
	b.cacheRdb, err = redisconn.Dial(c.Redis.Cache.Reveal(), redisconn.Options{Role: redisconn.RoleCache})
	if err != nil {
		return fmt.Errorf("ROUNDS_CACHE_REDIS: %w", err)
	}
	b.stack.Push("cache redis", func(context.Context) error { return b.cacheRdb.Close() })
	return b.checkRedis(ctx, c)
}

// checkRedis waits for both servers and refuses a configuration that loses data.
func (b *base) checkRedis(ctx context.Context, c config.Base) error {
	production := c.Mode == config.Production
	check := func(what string, inspect func(context.Context) ([]redisconn.Finding, error)) (found []redisconn.Finding, err error) {
		err = lifecycle.WaitFor(ctx, b.log, c.StartWait, what, func(ctx context.Context) error {
			if found, err = inspect(ctx); err != nil {
				return lifecycle.Unreachable(what, err)
			}
			return nil
		})
		return found, err
	}
	role := func(rdb redis.UniversalClient, role redisconn.Role) func(context.Context) ([]redisconn.Finding, error) {
		return func(ctx context.Context) ([]redisconn.Finding, error) {
			return redisconn.Check(ctx, rdb, role, production)
		}
	}
	queueFound, err := check("queue redis", role(b.queue, redisconn.RoleQueue))
	if err != nil {
		return err
	}
	cacheFound, err := check("cache redis", role(b.cacheRdb, redisconn.RoleCache))
	if err != nil {
		return err
	}
	shared, err := check("redis", func(ctx context.Context) ([]redisconn.Finding, error) {
		return redisconn.CheckShared(ctx, b.queue, b.cacheRdb, production)
	})
	if err != nil {
		return err
	}
	return errors.Join(
		redisconn.Enforce(ctx, b.log, "queue-redis", queueFound), redisconn.Enforce(ctx, b.log, "cache-redis", cacheFound),
		redisconn.Enforce(ctx, b.log, "redis", shared))
}
