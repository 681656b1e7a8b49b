package queue

import (
	"context"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// dialFrozen returns a server to freeze, and options with the timeouts of a process.
func dialFrozen(t *testing.T) (*redistest.Private, ServerOptions) {
	t.Helper()
	server := redistest.NewPrivate(t)
	server.Start(t)
	c, err := redisconn.Dial(server.URL(), redisconn.Options{})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return server, ServerOptions{Redis: c, Drain: Drain{Soft: 2 * time.Second, Hard: 2500 * time.Millisecond, Limit: 4 * time.Second}}
}

// An idle worker whose Redis hangs stops well before its limit, however long Redis has hung.
func TestIdleWorkerStopsWhileRedisHangs(t *testing.T) {
	t.Parallel()
	for _, hung := range []time.Duration{0, 700 * time.Millisecond, 2500 * time.Millisecond} {
		t.Run(hung.String(), func(t *testing.T) {
			t.Parallel()
			server, o := dialFrozen(t)
			started := make(chan struct{}, 1)
			o.Handler = handler{process: func(context.Context, *asynq.Task) error { started <- struct{}{}; return nil }}
			o.Drain = Drain{}
			s := serve(t, o)
			enqueue(t, NewProducer(o.Redis), demand(Sync, "a"))
			receive(t, started)
			server.Freeze(t)
			<-time.After(hung)
			began := time.Now()
			must(t, s.Stop(t.Context()))
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("stop took %v", took)
			}
		})
	}
}

// A run that ends while Redis hangs is acknowledged when Redis is back before asynq gives it up,
// and otherwise left to another worker. Neither is a failure of the shutdown.
func TestStopWhileRunsEndAndRedisHangs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ thaw, hard, limit time.Duration }{
		"back in time": {time.Second, 20 * time.Second, 30 * time.Second},
		"not back":     {time.Minute, 2500 * time.Millisecond, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, o := dialFrozen(t)
			o.Drain.Hard, o.Drain.Limit = c.hard, c.limit
			started := make(chan struct{}, 1)
			o.Handler = handler{process: func(ctx context.Context, _ *asynq.Task) error {
				started <- struct{}{}
				<-ctx.Done()
				last, cancel := Closing(ctx, time.Minute)
				defer cancel()
				_ = o.Redis.Ping(last) // an outcome, say
				return nil
			}}
			s := serve(t, o)
			enqueue(t, NewProducer(o.Redis), demand(Sync, "a"))
			receive(t, started)
			server.Freeze(t)
			back := time.AfterFunc(o.Drain.Soft+c.thaw, func() { server.Thaw(t) })
			defer back.Stop()
			began := time.Now()
			must(t, s.Stop(t.Context()))
			if took := time.Since(began); took > c.limit+3*time.Second {
				t.Errorf("stop took %v", took)
			}
			if c.thaw > c.limit {
				return // Redis may still receive the ack
			}
			eventually(t, "the task has ended", func() bool {
				return o.Redis.LLen(t.Context(), asynqKey(Sync, suffixActive)).Val() == 0
			})
		})
	}
}
