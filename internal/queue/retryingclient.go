package queue

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Waits of the retrying client. It delays a failed dequeue, because asynq repeats it at once. It
// repeats a failed ack within the lease, because asynq's own repetition uses a context that asynq
// has canceled, and never succeeds.
const (
	commandTimeout = 3 * time.Second
	dequeueBase    = 200 * time.Millisecond
	dequeueLimit   = 2 * time.Second
	ackBase        = 50 * time.Millisecond
	ackLimit       = 2 * time.Second
)

// retryingClient is the Redis client of one asynq server.
type retryingClient struct {
	redis.UniversalClient
	draining <-chan struct{}
	// hurry ends during a shutdown, when only acks may still wait for Redis.
	hurry context.Context //nolint:containedctx // lives as long as the server
	// cut ends when asynq must stop using Redis, so that an unresponsive Redis cannot delay the end
	// of the process.
	cut    context.Context //nolint:containedctx // lives as long as the server
	failed atomic.Int64    // consecutive failed dequeues
	// subscriber is the client that asynq uses for cancellation messages. asynq panics when this
	// client is closed while it subscribes, so only the server closes it.
	subscriber redis.UniversalClient
}

// Subscribe subscribes through the separate client.
func (l *retryingClient) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return l.subscriber.Subscribe(ctx, channels...)
}

// EvalSha runs a script as its shape requires.
func (l *retryingClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return l.run(ctx, keys, func(ctx context.Context) *redis.Cmd {
		return l.UniversalClient.EvalSha(ctx, sha, keys, args...)
	})
}

// Eval runs a script as its shape requires. asynq sends it after EvalSha failed with NOSCRIPT.
func (l *retryingClient) Eval(ctx context.Context, source string, keys []string, args ...any) *redis.Cmd {
	return l.run(ctx, keys, func(ctx context.Context) *redis.Cmd {
		return l.UniversalClient.Eval(ctx, source, keys, args...)
	})
}

// ZAdd adds a deadline to asynq's heartbeat.
func (l *retryingClient) ZAdd(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZAdd(ctx, key, members...)
}

// ZAddXX adds a deadline to the extension of leases.
func (l *retryingClient) ZAddXX(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZAddXX(ctx, key, members...)
}

// ZRem adds a deadline to the removal of the server's state.
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

// bound adds a deadline to a command and cancels it when the client is cut off: most of asynq's
// calls have no deadline.
func (l *retryingClient) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	limit, hurry := commandTimeout, l.hurry
	if hurry.Err() != nil {
		limit, hurry = idleLimit, l.cut
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	stop, release := context.AfterFunc(l.cut, cancel), context.AfterFunc(hurry, cancel)
	return ctx, func() { stop(); release(); cancel() }
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
		cmd.SetErr(redis.Nil) // the reply for an empty lane
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

// ack repeats the call until a reply arrives or the lease ends. "NOT FOUND" after a lost reply
// means that the call with the lost reply succeeded.
func (l *retryingClient) ack(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	ctx, cancel := restoreDeadline(ctx)
	defer cancel()
	unsure := false
	for try := 1; ; try++ {
		cmd := l.try(ctx, call)
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

// try makes one try of an ack.
func (l *retryingClient) try(ctx context.Context, call func(context.Context) *redis.Cmd) *redis.Cmd {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	defer context.AfterFunc(l.cut, cancel)()
	return call(ctx)
}

func (l *retryingClient) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.cut, cancel)
	return ctx, func() { stop(); cancel() }
}

// restoreDeadline returns a context with the deadline of one that was canceled early: asynq cancels
// the context of an ack as soon as the first try fails, and then tries again with it. An ack
// without a deadline, which only the recoverer sends, gets the time of one try.
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
