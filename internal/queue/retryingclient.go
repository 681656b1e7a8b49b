package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// How the link waits. A dequeue that failed is slowed down, because asynq asks
// again at once; an ack that failed is repeated inside the lease, because
// asynq's own repetition uses a context it has cancelled and never succeeds.
const (
	commandTimeout = 3 * time.Second
	dequeueBase    = 200 * time.Millisecond
	dequeueLimit   = 2 * time.Second
	ackBase        = 50 * time.Millisecond
	ackLimit       = 2 * time.Second
)

// retryingClient is the Redis client under one asynq server.
type retryingClient struct {
	redis.UniversalClient
	draining <-chan struct{}
	// cut ends when asynq must stop talking to Redis, so that a Redis that
	// hangs cannot hold a process that has to go.
	cut    context.Context //nolint:containedctx // lives as long as the server
	failed atomic.Int64    // dequeues that failed in a row
	// subscriber is where asynq listens for cancellations. Its subscriber panics when its client is closed
	// below it, so that only the server closes this one.
	subscriber redis.UniversalClient
}

// Subscribe listens on the client of its own.
func (l *retryingClient) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return l.subscriber.Subscribe(ctx, channels...)
}

// EvalSha runs a script as its shape demands.
func (l *retryingClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return l.run(ctx, keys, func(ctx context.Context) *redis.Cmd {
		return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
	})
}

// Eval runs a script as its shape demands; asynq sends it when EvalSha does
// not know the script.
func (l *retryingClient) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	return l.run(ctx, keys, func(ctx context.Context) *redis.Cmd {
		return l.UniversalClient.Eval(ctx, source, keys, args...)
	})
}

// ZAdd bounds asynq's heartbeat.
func (l *retryingClient) ZAdd(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZAdd(ctx, key, members...)
}

// ZAddXX bounds the extension of leases.
func (l *retryingClient) ZAddXX(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZAddXX(ctx, key, members...)
}

// ZRem bounds the removal of the server's state.
func (l *retryingClient) ZRem(ctx context.Context, key string, members ...any) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZRem(ctx, key, members...)
}

func (l *retryingClient) run(ctx context.Context, keys []string, call func(context.Context) *redis.Cmd) *redis.Cmd {
	switch shapeOf(keys) {
	case shapeDequeue:
		return l.dequeue(ctx, call)
	case shapeAck:
		return l.ack(ctx, call)
	default:
		return l.once(ctx, call)
	}
}

// bound gives a command its time, and ends it when the link is cut: most of
// asynq's calls have no deadline at all.
func (l *retryingClient) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	stop := context.AfterFunc(l.cut, cancel)
	return ctx, func() { stop(); cancel() }
}

func (l *retryingClient) once(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return call(ctx)
}

func (l *retryingClient) dequeue(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	select {
	case <-l.draining:
		cmd := redis.NewCmd(ctx)
		cmd.SetErr(redis.Nil) // as if the lane were empty
		return cmd
	default:
	}
	cmd := l.once(ctx, call)
	err := cmd.Err()
	if err == nil || errors.Is(err, redis.Nil) || missingScript(err) {
		l.failed.Store(0)
		return cmd
	}
	timer := time.NewTimer(dequeueBase/2 + backoff(int(l.failed.Add(1)), dequeueBase/2, dequeueLimit))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.draining:
	}
	return cmd
}

// ack repeats until it is heard or the lease ends. "NOT FOUND" after an answer
// that was lost means that the lost one did it.
func (l *retryingClient) ack(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	ctx, cancel := restoreDeadline(ctx)
	defer cancel()
	unsure := false
	for try := 1; ; try++ {
		cmd := l.once(ctx, call)
		err := cmd.Err()
		switch {
		case err == nil, missingScript(err):
			return cmd
		case redisconn.IsReply(err) && err.Error() == notFound && unsure:
			done := redis.NewCmd(ctx)
			done.SetVal("OK")
			return done
		case !transient(err) && !redis.HasErrorPrefix(err, "OOM"), l.cut.Err() != nil:
			return cmd
		}
		unsure = unsure || !redisconn.IsReply(err)
		wait, stop := l.until(ctx)
		err = pause(wait, backoff(try, ackBase, ackLimit))
		stop()
		if err != nil {
			return cmd
		}
	}
}

func (l *retryingClient) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.cut, cancel)
	return ctx, func() { stop(); cancel() }
}

// restoreDeadline returns a context with the deadline of one that was cancelled before
// it: asynq cancels the context of an ack as soon as the first try fails, and
// then tries again with it. An ack without a deadline, the recoverer's, gets
// one try's time.
func restoreDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	switch {
	case !ok:
		return context.WithTimeout(ctx, commandTimeout)
	case errors.Is(ctx.Err(), context.Canceled) && time.Now().Before(deadline):
		return context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	return context.WithCancel(ctx)
}
