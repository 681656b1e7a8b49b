package queue

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
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

// retryingClient is the Redis client of one asynq server. It pops tasks with leases of this package
// and lets only runs with a lease end them; asynq's own leases have no effect.
type retryingClient struct {
	redis.UniversalClient
	*worker
	failed  atomic.Int64 // consecutive failed dequeues
	scripts learned
	// recheck is how long a lane that was empty is not asked again. A pool that has tasks in one
	// lane would otherwise ask its empty lanes before most of them.
	recheck time.Duration
	empty   map[string]time.Time // when a lane was; only asynq's one goroutine that dequeues uses it
}

// worker is what the clients of a Server's asynq servers share.
type worker struct {
	name     string // identifies the process among the workers
	log      *slog.Logger
	ready    func(lane string) bool
	draining <-chan struct{}
	// hurry ends during a shutdown, when only acks may still wait for Redis.
	hurry context.Context //nolint:containedctx // lives as long as the server
	// cut ends when asynq must stop using Redis, so that an unresponsive Redis cannot delay the end
	// of the process.
	cut     context.Context //nolint:containedctx // lives as long as the server
	leases  *leases
	tempo   tempo
	running *atomic.Int64 // handlers
	solo    *sync.Mutex   // serializes pops from quarantine lanes
	// subscriber is the client that asynq uses for cancellation messages. asynq panics when this
	// client is closed while it subscribes, so only the server closes it.
	subscriber redis.UniversalClient
}

// Subscribe subscribes through the separate client, and to a channel without messages.
func (l *retryingClient) Subscribe(ctx context.Context, _ ...string) *redis.PubSub {
	return l.subscriber.Subscribe(ctx, silent)
}

// EvalSha runs a script as its shape requires.
func (l *retryingClient) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	switch shape := shapeOf(keys); shape {
	case shapeDequeue:
		return l.dequeue(ctx, laneOf(keys[0]))
	case shapeExpired:
		return nothing(ctx)
	case shapeAck, shapeForward:
		script := l.scripts.get(sha)
		if script == nil {
			cmd := redis.NewCmd(ctx)
			cmd.SetErr(redis.ErrNoScript)
			return cmd
		}
		return l.runWrapped(ctx, shape, script, keys, args)
	default:
		return l.once(ctx, func(ctx context.Context) *redis.Cmd { return l.UniversalClient.EvalSha(ctx, sha, keys, args...) })
	}
}

// Eval runs a script as its shape requires. asynq sends it after EvalSha failed with NOSCRIPT.
func (l *retryingClient) Eval(ctx context.Context, text string, keys []string, args ...any) *redis.Cmd {
	switch shape := shapeOf(keys); shape {
	case shapeDequeue:
		return l.dequeue(ctx, laneOf(keys[0]))
	case shapeExpired:
		return nothing(ctx)
	case shapeAck:
		return l.runWrapped(ctx, shape, l.scripts.learn(text, guardAck), keys, args)
	case shapeForward:
		return l.runWrapped(ctx, shape, l.scripts.learn(text, redisClock), keys, args)
	default:
		return l.once(ctx, func(ctx context.Context) *redis.Cmd { return l.UniversalClient.Eval(ctx, text, keys, args...) })
	}
}

func (l *retryingClient) runWrapped(ctx context.Context, s shape, script *redis.Script, keys []string, args []any) *redis.Cmd {
	if s == shapeAck {
		return l.ack(ctx, script, keys, args)
	}
	return l.once(ctx, func(ctx context.Context) *redis.Cmd { return script.Run(ctx, l.UniversalClient, keys, args...) })
}

// nothing is the reply that no lease has ended: the reaper returns such tasks.
func nothing(ctx context.Context) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetVal([]any{})
	return cmd
}

// ZAdd adds a deadline to asynq's heartbeat.
func (l *retryingClient) ZAdd(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZAdd(ctx, key, members...)
}

// ZAddXX replies to asynq's extension of leases without any effect: asynq uses the worker's clock,
// and extends leases that the run has lost.
func (l *retryingClient) ZAddXX(ctx context.Context, _ string, _ ...redis.Z) *redis.IntCmd {
	return redis.NewIntCmd(ctx)
}

// ZRem adds a deadline to the removal of the server's state.
func (l *retryingClient) ZRem(ctx context.Context, key string, members ...any) *redis.IntCmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.UniversalClient.ZRem(ctx, key, members...)
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

// dequeue pops a task of a lane, and delays the reply of a failure.
func (l *retryingClient) dequeue(ctx context.Context, lane string) *redis.Cmd {
	select {
	case <-l.draining:
		return none(ctx)
	default:
	}
	if time.Since(l.empty[lane]) < l.recheck || !l.ready(lane) {
		return none(ctx)
	}
	cmd := l.pop(ctx, lane)
	switch err := cmd.Err(); {
	case errors.Is(err, redis.Nil):
		l.failed.Store(0)
		if l.recheck > 0 {
			l.empty[lane] = time.Now()
		}
		return cmd
	case err == nil:
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
