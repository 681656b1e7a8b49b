package queue

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// These tests show beside each other what plain asynq does and what a Server does.

// plain starts asynq's own server.
func plain(t *testing.T, rdb redis.UniversalClient, process asynq.HandlerFunc, change ...func(*asynq.Config)) *asynq.Server {
	t.Helper()
	c := asynq.Config{
		Concurrency: 4, Queues: map[string]int{Sync: 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		ShutdownTimeout: 10 * time.Millisecond, RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
		DelayedTaskCheckInterval: 10 * time.Millisecond,
	}
	for _, f := range change {
		f(&c)
	}
	srv := asynq.NewServerFromRedisClient(rdb, c)
	must(t, srv.Start(process))
	t.Cleanup(srv.Shutdown)
	return srv
}

// both runs a test on plain asynq and on a Server.
func both(t *testing.T, test func(t *testing.T, isPlain bool, start func(rdb redis.UniversalClient, process asynq.HandlerFunc))) {
	t.Helper()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		test(t, true, func(rdb redis.UniversalClient, process asynq.HandlerFunc) { plain(t, rdb, process) })
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		test(t, false, func(rdb redis.UniversalClient, process asynq.HandlerFunc) {
			serve(t, ServerOptions{Redis: rdb, Handler: handler{process: process}})
		})
	})
}

// stays checks for a while that a condition holds.
func stays(t *testing.T, d time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for start := time.Now(); time.Since(start) < d; <-tick.C {
		if !ok() {
			t.Fatalf("after %v no longer: %s", time.Since(start), what)
		}
	}
}

// TestLostAckBesidePlainAsynq loses one ack. asynq repeats it with a context that it has canceled:
// the task stays active, and runs again when its lease has ended.
func TestLostAckBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		var lost atomic.Bool
		broken := &flaky{UniversalClient: rdb, before: func(keys []string) error {
			if shapeOf(keys) == shapeAck && !lost.Swap(true) {
				return errLost
			}
			return nil
		}}
		start(broken, func(context.Context, *asynq.Task) error { return nil })
		enqueue(t, NewProducer(rdb), demand(Sync, "a"))
		eventually(t, "the ack is lost", lost.Load)
		active := func() bool { return rdb.LLen(t.Context(), asynqKey(Sync, suffixActive)).Val() == 1 }
		if isPlain {
			stays(t, 6*time.Second, "the task is active although it is done", active)
			return
		}
		eventually(t, "the task is gone", func() bool { return !active() })
	})
}

// TestUndecodableRecordBesidePlainAsynq puts a message that cannot be decoded among tasks whose
// leases have ended. asynq's recoverer stops at it.
func TestUndecodableRecordBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		for _, char := range []string{"a", "b"} {
			abandon(t, rdb, popped(t, rdb, char), Sync, false)
		}
		bad := ID{Lane: Sync, Digest: digest("a")}
		for _, raw := range rdb.ZRange(t.Context(), asynqKey(Sync, suffixLease), 0, -1).Val() {
			if id := parse(t, raw); id.Digest == bad.Digest {
				rdb.HSet(t.Context(), asynqTaskPrefix(Sync)+raw, "msg", "\xff\xff")
			}
		}
		ran := make(chan struct{}, 4)
		start(rdb, func(context.Context, *asynq.Task) error { ran <- struct{}{}; return nil })
		if isPlain {
			stays(t, 2*time.Second, "nothing is recovered", func() bool { return len(ran) == 0 })
			return
		}
		receive(t, ran)
		eventually(t, "no lease is left", func() bool { return rdb.ZCard(t.Context(), asynqKey(Sync, suffixLease)).Val() == 0 })
	})
}

// TestGhostBesidePlainAsynq removes the record of a pending task. asynq makes it a record without a
// message, which stays active forever.
func TestGhostBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		key := asynqTaskPrefix(Sync) + enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
		rdb.Del(t.Context(), key)
		start(rdb, func(context.Context, *asynq.Task) error { return nil })
		eventually(t, "the ID is popped", func() bool { return rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val() == 0 })
		if ghost := rdb.HGet(t.Context(), key, "state").Val() == "active"; ghost != isPlain {
			t.Errorf("a ghost: %v", ghost)
		}
	})
}

// TestOrphanedPopBesidePlainAsynq pops a task for a worker that never receives it, and ends its
// lease. asynq waits 30 s longer, and looks once a minute.
func TestOrphanedPopBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		id := popped(t, rdb, "a")
		ended := redis.Z{Score: float64(time.Now().Add(-5 * time.Second).Unix()), Member: id.String()}
		must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixLease), ended).Err())
		attempts := make(chan int, 4)
		start(rdb, func(ctx context.Context, _ *asynq.Task) error {
			n, _ := asynq.GetRetryCount(ctx)
			attempts <- n
			return nil
		})
		if isPlain {
			stays(t, 2*time.Second, "it is not recovered", func() bool { return len(attempts) == 0 })
			return
		}
		if n := receive(t, attempts); n != 0 {
			t.Errorf("the orphaned pop cost %d attempts", n)
		}
	})
}

// ahead is the client of a worker whose clock is 90 s ahead: it changes each time that asynq sends.
type ahead struct{ redis.UniversalClient }

const aheadBy = 90

func (a ahead) skew(keys []string, args []any) []any {
	sh := shapeOf(keys)
	if sh != shapeDequeue && sh != shapeExpired && sh != shapeForward {
		return args
	}
	args = slices.Clone(args)
	if n, ok := args[0].(int64); ok {
		args[0] = n + aheadBy
	}
	return args
}

func (a ahead) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return a.UniversalClient.EvalSha(ctx, sha, keys, a.skew(keys, args)...)
}

func (a ahead) Eval(ctx context.Context, text string, keys []string, args ...any) *redis.Cmd {
	return a.UniversalClient.Eval(ctx, text, keys, a.skew(keys, args)...)
}

// TestClockAheadBesidePlainAsynq starts a second worker whose clock is 90 s ahead. asynq takes the
// task of the first, and runs it twice at once. It also runs a task that is scheduled for later.
func TestClockAheadBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		var running atomic.Int64
		release := make(chan struct{})
		process := func(ctx context.Context, _ *asynq.Task) error {
			running.Add(1)
			select {
			case <-release:
			case <-ctx.Done():
			}
			return nil
		}
		defer close(release)
		start(rdb, process)
		enqueue(t, NewProducer(rdb), demand(Sync, "a"))
		later := demand(Sync, "b")
		later.At = time.Now().Add(time.Minute)
		enqueue(t, NewProducer(rdb), later)
		eventually(t, "it runs", func() bool { return running.Load() == 1 })
		start(ahead{rdb}, process)
		if isPlain {
			eventually(t, "both run again or early", func() bool { return running.Load() == 3 })
			return
		}
		stays(t, 3*time.Second, "one task runs", func() bool { return running.Load() == 1 })
	})
}

// TestShutdownBesidePlainAsynq stops a worker whose handler ignores its context. asynq requeues the
// task while the handler runs, and a second worker runs it beside the first.
func TestShutdownBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	for name, isPlain := range map[string]bool{"plain": true, "ours": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			started, release := make(chan struct{}, 4), make(chan struct{})
			process := func(context.Context, *asynq.Task) error {
				started <- struct{}{}
				<-release
				return nil
			}
			id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
			defer close(release)
			if isPlain {
				first := plain(t, rdb, process)
				receive(t, started)
				first.Shutdown()
				plain(t, rdb, process)
				receive(t, started) // two handlers run now
				return
			}
			s := serve(t, ServerOptions{
				Redis: rdb, Handler: handler{process: process}, Drain: Drain{Soft: 20 * time.Millisecond, Hard: 60 * time.Millisecond, Limit: 400 * time.Millisecond},
			})
			receive(t, started)
			key := asynqTaskPrefix(Sync) + id
			rdb.HSet(t.Context(), key, "mark", rdb.HGet(t.Context(), key, "run").Val())
			if err := s.Stop(t.Context()); err == nil {
				t.Error("the handler ended")
			}
			if rdb.HExists(t.Context(), key, "mark").Val() {
				t.Error("the end of the process after its shutdown would count as a crash")
			}
			serve(t, ServerOptions{Redis: rdb, Handler: handler{process: process}})
			stays(t, 2*time.Second, "the task does not run beside itself", func() bool { return len(started) == 0 })
			if score := rdb.ZScore(t.Context(), asynqKey(Sync, suffixLease), id).Val(); score-float64(time.Now().Unix()) > defaultTempo.lease.Seconds() {
				t.Errorf("the lease ends at %s", strconv.FormatFloat(score, 'f', 0, 64))
			}
		})
	}
}

// TestPostponedTaskBesidePlainAsynq lets a task's last attempt end without a failure, as behind an
// open breaker. asynq archives it before it asks whether that was a failure; maxRetry is therefore
// out of reach, and the router counts attempts.
func TestPostponedTaskBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	for name, isPlain := range map[string]bool{"plain": true, "ours": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			h := handler{excused: true, process: func(context.Context, *asynq.Task) error { return errFailed }}
			want := StateRetry
			var id string
			if isPlain {
				want = StateArchived
				info, err := asynq.NewClientFromRedisClient(rdb).EnqueueContext(t.Context(), asynq.NewTask("x", nil), asynq.Queue(Sync), asynq.MaxRetry(0))
				must(t, err)
				id = info.ID
				plain(t, rdb, h.process, func(c *asynq.Config) { c.IsFailure = h.IsFailure })
			} else {
				id = enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
				serve(t, ServerOptions{Redis: rdb, Handler: h})
			}
			eventually(t, "it is in state "+want, func() bool { return rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id, "state").Val() == want })
		})
	}
}

// TestFullRedisBesidePlainAsynq fills Redis while tasks wait. asynq's dequeue is refused, and asynq
// repeats it without a pause: a queue that is full can never drain.
func TestFullRedisBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		server := redistest.NewPrivate(t)
		server.Start(t)
		rdb := dialPrivate(t, server)
		p := NewProducer(rdb)
		for _, char := range []string{"a", "b", "c", "d"} {
			enqueue(t, p, demand(Sync, char))
		}
		fill(t, rdb)
		var dequeues, ran atomic.Int64
		counted := &flaky{UniversalClient: rdb, before: func(keys []string) error {
			if shapeOf(keys) == shapeDequeue {
				dequeues.Add(1)
			}
			return nil
		}}
		start(counted, func(context.Context, *asynq.Task) error { ran.Add(1); return nil })
		if isPlain {
			eventually(t, "it asks a thousand times", func() bool { return dequeues.Load() >= 1000 })
			if ran.Load() != 0 {
				t.Errorf("%d tasks ran", ran.Load())
			}
			return
		}
		eventually(t, "the queue has drained", func() bool {
			return ran.Load() == 4 && rdb.Exists(t.Context(), asynqKey(Sync, suffixPending), asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)).Val() == 0
		})
	})
}

// TestShortTimeoutBesidePlainAsynq limits a task to half a second. asynq stores whole seconds, and
// takes zero for half an hour.
func TestShortTimeoutBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, isPlain bool, start func(redis.UniversalClient, asynq.HandlerFunc)) {
		rdb := redistest.New(t)
		limits := make(chan time.Duration, 1)
		start(rdb, func(ctx context.Context, _ *asynq.Task) error {
			deadline, _ := ctx.Deadline()
			limits <- time.Until(deadline)
			return nil
		})
		if isPlain {
			_, err := asynq.NewClientFromRedisClient(rdb).EnqueueContext(t.Context(), asynq.NewTask("x", nil), asynq.Queue(Sync), asynq.Timeout(time.Second/2))
			must(t, err)
			if limit := receive(t, limits); limit < 29*time.Minute {
				t.Errorf("the handler has %v", limit)
			}
			return
		}
		d := demand(Sync, "a")
		d.Timeout = time.Second / 2
		enqueue(t, NewProducer(rdb), d)
		if limit := receive(t, limits); limit > time.Second {
			t.Errorf("the handler has %v", limit)
		}
	})
}
