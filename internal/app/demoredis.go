package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The kinds of Redis that a demo may use.
const (
	RedisConfigured = "configured"   // named by ROUNDS_QUEUE_REDIS
	RedisServer     = "redis-server" // private processes of the redis-server on the PATH
	RedisEmbedded   = "embedded"     // miniredis, in this process
)

// demoMark is a key in a configured Redis while a demo uses it. The next demo may clear a database
// with this key, because a killed demo left it.
var demoMark = tenant.GlobalKey("demo", "rounds")

// demoRedis returns the demo's Redis: the configured one, or a private server, or an embedded one.
func demoRedis(ctx context.Context, stack *lifecycle.Stack, dir, queueURL, cacheURL string) (kind string, urls config.Redis, err error) {
	if queueURL != "" {
		if cacheURL == "" {
			cacheURL = queueURL
		}
		urls = config.Redis{Queue: secret.Value(queueURL), Cache: secret.Value(cacheURL)}
		return RedisConfigured, urls, errors.Join(
			borrow(ctx, stack, "ROUNDS_QUEUE_REDIS", queueURL), borrowOther(ctx, stack, queueURL, cacheURL))
	}
	if path, err := exec.LookPath("redis-server"); err == nil {
		q, err := spawn(ctx, stack, path, filepath.Join(dir, "queue"), "--appendonly", "yes")
		if err != nil {
			return "", config.Redis{}, err
		}
		c, err := spawn(ctx, stack, path, filepath.Join(dir, "cache"), "--appendonly", "no")
		if err != nil {
			return "", config.Redis{}, err
		}
		return RedisServer, config.Redis{Queue: secret.Value(q), Cache: secret.Value(c)}, nil
	}
	q, err := embed(ctx, stack, "queue")
	if err != nil {
		return "", config.Redis{}, err
	}
	c, err := embed(ctx, stack, "cache")
	if err != nil {
		return "", config.Redis{}, err
	}
	return RedisEmbedded, config.Redis{Queue: secret.Value(q), Cache: secret.Value(c)}, nil
}

func borrowOther(ctx context.Context, stack *lifecycle.Stack, queueURL, cacheURL string) error {
	if cacheURL == queueURL {
		return nil
	}
	return borrow(ctx, stack, "ROUNDS_CACHE_REDIS", cacheURL)
}

// redisLimit bounds the first contact with a demo's Redis.
const redisLimit = 4 * time.Second

// errInUse protects a Redis that is in use: the demo's worker would take its tasks.
var errInUse = errors.New("the database is not empty, and a demo needs one that is: point it at another database or clear it")

// borrow uses an empty database of a configured Redis and leaves it empty.
func borrow(ctx context.Context, stack *lifecycle.Stack, name, url string) error {
	c, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	marked, err := c.Exists(ctx, demoMark).Result()
	if err != nil {
		return errors.Join(lifecycle.Unreachable(name, err), c.Close())
	}
	size, err := c.DBSize(ctx).Result()
	if err != nil {
		return errors.Join(lifecycle.Unreachable(name, err), c.Close())
	}
	if size > 0 && marked == 0 {
		return errors.Join(fmt.Errorf("%s: %w", name, errInUse), c.Close())
	}
	stack.Push(name, func(ctx context.Context) error { return errors.Join(c.FlushDB(ctx).Err(), c.Close()) })
	return errors.Join(c.FlushDB(ctx).Err(), c.Set(ctx, demoMark, "1", 0).Err())
}

// spawn starts a private redis-server on a unix socket and waits until it answers.
func spawn(ctx context.Context, stack *lifecycle.Stack, path, dir string, extra ...string) (url string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	socket := filepath.Join(dir, "s")
	args := append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--logfile", filepath.Join(dir, "log")}, extra...)
	cmd := exec.Command(path, args...) //nolint:noctx // the step below ends it, after everything that uses it
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start redis-server: %w", err)
	}
	stack.Push("redis-server", func(context.Context) error {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // returns "killed"
		return nil
	})
	url = "unix://" + socket
	c, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleQueue})
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.Ping(ctx).Err()
		if err == nil {
			return url, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", lifecycle.Unreachable("private redis-server", err)
		}
	}
}

// embed starts a miniredis and advances its clock, which otherwise stands still.
func embed(ctx context.Context, stack *lifecycle.Stack, name string) (url string, err error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return "", fmt.Errorf("start embedded redis: %w", err)
	}
	group := lifecycle.NewGroup(context.WithoutCancel(ctx))
	stack.Push("embedded "+name+" redis", func(ctx context.Context) error {
		err := group.Stop(ctx)
		m.Close()
		return err
	})
	err = group.Go("clock", func(ctx context.Context) error {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-ctx.Done():
				return nil
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			}
		}
	})
	return "redis://" + m.Addr(), err
}
