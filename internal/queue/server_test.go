package queue

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestNewServerRefusesOptions(t *testing.T) {
	t.Parallel()
	rdb, h := redistest.New(t), handler{}
	for name, o := range map[string]ServerOptions{
		"no redis":        {Handler: h},
		"no handler":      {Redis: rdb},
		"negative slots":  {Redis: rdb, Handler: h, Background: -1},
		"negative drain":  {Redis: rdb, Handler: h, Drain: Drain{Soft: -1}},
		"soft after hard": {Redis: rdb, Handler: h, Drain: Drain{Soft: 9 * time.Second}},
	} {
		if _, err := NewServer(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s, err := NewServer(ServerOptions{Redis: rdb, Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Drain{7 * time.Second, 8 * time.Second, 8500 * time.Millisecond}); s.o.Drain != want {
		t.Errorf("drain %v, want %v", s.o.Drain, want)
	}
}

// Background work that never ends must not take the slots of what somebody
// waits for.
func TestInteractiveHasSlotsOfItsOwn(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	release, ran := make(chan struct{}), make(chan string, 8)
	serve(t, ServerOptions{Redis: rdb, Reserved: 1, Background: 2, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		lane, _ := asynq.GetQueueName(ctx)
		ran <- lane
		if lane == Sync {
			<-release
		}
		return nil
	}}})
	defer close(release)
	p := NewProducer(rdb)
	for _, letter := range []string{"a", "b", "c"} {
		enqueue(t, p, demand(Sync, letter))
	}
	got := []string{receive(t, ran), receive(t, ran)}
	enqueue(t, p, demand(Interactive, "a"))
	got = append(got, receive(t, ran))
	enqueue(t, p, demand(Push, "a"))
	got = append(got, receive(t, ran))
	if want := []string{Sync, Sync, Interactive, Push}; !slices.Equal(got, want) {
		t.Errorf("ran %v, want %v", got, want)
	}
}

// One lost answer, or three, on the ack of a task must not run it again.
func TestLostAckIsRepaired(t *testing.T) {
	t.Parallel()
	for name, faults := range map[string]struct{ before, after int }{
		"never sent":            {before: 3},
		"done, answer lost":     {after: 1},
		"lost, then never sent": {after: 1, before: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rdb := redistest.New(t)
			left := faults
			broken := &flaky{
				UniversalClient: rdb,
				before: func(keys []string) error {
					if shapeOf(keys) == shapeAck && left.after == 0 && left.before > 0 {
						left.before--
						return errLost
					}
					return nil
				},
				after: func(keys []string) error {
					if shapeOf(keys) == shapeAck && left.after > 0 {
						left.after--
						return errLost
					}
					return nil
				},
			}
			var runs atomic.Int64
			s := serve(t, ServerOptions{Redis: broken, Handler: handler{process: func(context.Context, *asynq.Task) error {
				runs.Add(1)
				return nil
			}}})
			id := enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID
			eventually(t, "the task is gone", func() bool {
				return runs.Load() == 1 && rdb.Exists(t.Context(), asynqTaskPrefix(Sync)+id, asynqKey(Sync, suffixLease)).Val() == 0
			})
			must(t, s.Stop(t.Context()))
			if left.before+left.after != 0 || runs.Load() != 1 {
				t.Errorf("faults left %+v, %d runs", left, runs.Load())
			}
			if n := rdb.Get(t.Context(), "asynq:{sync}:processed").Val(); n != "1" {
				t.Errorf("counted as processed %s times", n)
			}
		})
	}
}

// asynq repeats a failed ack with a context that it has cancelled itself.
func TestAckRevivesACancelledContext(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	l := &link{UniversalClient: rdb, cut: t.Context()}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cancel()
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	if got, err := l.Eval(ctx, "return 'heard'", keys).Text(); got != "heard" || err != nil {
		t.Errorf("with the lease still running: %q, %v", got, err)
	}
	over, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if got, err := l.Eval(over, "return 'heard'", keys).Text(); err == nil {
		t.Errorf("after the lease: %q", got)
	}
	if got, err := l.Eval(t.Context(), "return 'heard'", keys).Text(); got != "heard" || err != nil {
		t.Errorf("without a lease: %q, %v", got, err)
	}
}

// "Not found" after an answer that was lost means that the lost call did it;
// asynq must not hear of a failure, or it would try for the rest of the lease.
func TestAckKnowsItsOwnTrace(t *testing.T) {
	t.Parallel()
	calls := 0
	broken := &flaky{UniversalClient: redistest.New(t), after: func([]string) error {
		if calls++; calls == 1 {
			return errLost
		}
		return nil
	}}
	l := &link{UniversalClient: broken, cut: t.Context()}
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	if err := l.Eval(t.Context(), "return redis.error_reply('NOT FOUND')", keys).Err(); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestAckGivesUpOnARefusal(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	l := &link{UniversalClient: rdb, cut: t.Context()}
	calls := 0
	keys := []string{asynqKey(Sync, suffixActive), asynqKey(Sync, suffixLease)}
	broken := &flaky{UniversalClient: rdb, after: func([]string) error { calls++; return nil }}
	l.UniversalClient = broken
	if err := l.Eval(t.Context(), "return redis.error_reply('NOT FOUND')", keys).Err(); err == nil || calls != 1 {
		t.Errorf("a task that is not active: %v after %d calls", err, calls)
	}
}

// A dequeue that fails at once, again and again, must not be asked thousands
// of times a second.
func TestFailingDequeueIsSlowedDown(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var asked atomic.Int64
	down := atomic.Bool{}
	down.Store(true)
	broken := &flaky{UniversalClient: rdb, before: func(keys []string) error {
		if shapeOf(keys) == shapeDequeue && strings.Contains(keys[0], Interactive) {
			asked.Add(1)
			if down.Load() {
				return errLost
			}
		}
		return nil
	}}
	ran := make(chan struct{}, 1)
	serve(t, ServerOptions{Redis: broken, Handler: handler{process: func(context.Context, *asynq.Task) error {
		ran <- struct{}{}
		return nil
	}}})
	eventually(t, "two dequeues", func() bool { return asked.Load() >= 2 })
	start, before := time.Now(), asked.Load()
	eventually(t, "a second passes", func() bool { return time.Since(start) > time.Second })
	if n := asked.Load() - before; n > 12 {
		t.Errorf("%d dequeues in a second of failures", n)
	}
	down.Store(false)
	enqueue(t, NewProducer(rdb), demand(Interactive, "a"))
	receive(t, ran)
}

func TestWorkerWaitsForRedisAndGoesOn(t *testing.T) {
	t.Parallel()
	server := newPrivateRedis(t)
	c := dialPrivate(t, server)
	ran := make(chan string, 8)
	s := serve(t, ServerOptions{Redis: c, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		ran <- id
		return nil
	}}})
	server.start(t) // after the worker
	first := enqueue(t, NewProducer(c), demand(Sync, "a"))
	if got := receive(t, ran); got != first.ID {
		t.Errorf("ran %s, want %s", got, first.ID)
	}
	server.kill()
	if _, err := NewProducer(c).Enqueue(t.Context(), []Demand{demand(Sync, "b")}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("enqueue without redis: %v", err)
	}
	server.start(t)
	second := enqueue(t, NewProducer(c), demand(Sync, "b"))
	if got := receive(t, ran); got != second.ID {
		t.Errorf("ran %s, want %s", got, second.ID)
	}
	must(t, s.Stop(t.Context()))
}

func TestStopWithoutRedisKeepsItsTime(t *testing.T) {
	t.Parallel()
	server := newPrivateRedis(t)
	c := dialPrivate(t, server)
	s := serve(t, ServerOptions{Redis: c, Handler: handler{}})
	start := time.Now()
	must(t, s.Stop(t.Context()))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stop took %v", took)
	}
}

// What runs when the worker is told to stop is cancelled, ends, and costs no
// attempt; what has not started stays where it is.
func TestStopGivesEverythingBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	started := make(chan struct{}, 4)
	var cause atomic.Value
	s := serve(t, ServerOptions{Redis: rdb, Background: 1, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		started <- struct{}{}
		<-ctx.Done()
		cause.Store(context.Cause(ctx))
		return context.Cause(ctx)
	}}})
	p := NewProducer(rdb)
	first := enqueue(t, p, demand(Sync, "a"))
	receive(t, started)
	enqueue(t, p, demand(Sync, "b"))
	enqueue(t, p, demand(Sync, "c"))
	start := time.Now()
	must(t, s.Stop(t.Context()))
	if took := time.Since(start); took < s.o.Drain.Soft || took >= s.o.Drain.Hard {
		t.Errorf("stop took %v, want it between soft and hard", took)
	}
	if err, _ := cause.Load().(error); !errors.Is(err, ErrDraining) {
		t.Errorf("cause %v", cause.Load())
	}
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 2 {
		t.Errorf("%d pending, want the two that never started", n)
	}
	info, err := Find(t.Context(), rdb, parse(t, first.ID))
	if err != nil || info.State != asynq.TaskStateRetry || info.Retried != 0 || time.Until(info.NextProcessAt) > time.Second {
		t.Errorf("the one that ran: %+v, %v", info, err)
	}
	if n := s.running.Load(); n != 0 {
		t.Errorf("%d still run", n)
	}
	must(t, s.Stop(t.Context())) // again
}

func TestStopReportsHandlersThatDoNotEnd(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	started, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := serve(t, ServerOptions{
		Redis: rdb, Drain: Drain{Soft: 20 * time.Millisecond, Hard: 60 * time.Millisecond, Limit: 400 * time.Millisecond},
		Handler: handler{process: func(context.Context, *asynq.Task) error {
			defer close(ended)
			close(started)
			<-release
			return nil
		}},
	})
	enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	receive(t, started)
	start := time.Now()
	err := s.Stop(t.Context())
	if err == nil || err.Error() != "stop queue server: 1 tasks have not ended" {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("stop took %v", took)
	}
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 1 {
		t.Errorf("%d pending: the task is not given back", n)
	}
	close(release)
	receive(t, ended)
}

func TestStopMayBeCutShort(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	started := make(chan struct{})
	s := serve(t, ServerOptions{
		Redis: rdb, Drain: Drain{Soft: time.Second, Hard: 2 * time.Second, Limit: 3 * time.Second},
		Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
			close(started)
			<-ctx.Done()
			return ErrDraining
		}},
	})
	enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	receive(t, started)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); err == nil {
		t.Error("a stop that was cut short says that all ended")
	}
	eventually(t, "the handler is cancelled all the same", func() bool { return s.running.Load() == 0 })
}

// A worker that starts and stops again and again leaves nothing behind.
func TestServerStress(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				s, err := NewServer(ServerOptions{Redis: rdb, Check: time.Millisecond, Handler: handler{process: func(context.Context, *asynq.Task) error { return nil }}})
				if err != nil {
					t.Error(err)
					return
				}
				if err := errors.Join(s.Start(), s.Start(), s.Stop(t.Context())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestRetryAsksTheHandler(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{delay: 30 * time.Minute, excused: true, process: func(context.Context, *asynq.Task) error {
		return errFailed
	}}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	var info *asynq.TaskInfo
	eventually(t, "it waits for its retry", func() bool {
		var err error
		info, err = Find(t.Context(), rdb, id)
		return err == nil && info.State == asynq.TaskStateRetry
	})
	if d := time.Until(info.NextProcessAt).Round(time.Minute); d != 30*time.Minute || info.Retried != 0 {
		t.Errorf("runs again in %v, %d attempts counted", d, info.Retried)
	}
}

func TestEngineLogIsOneStaticLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := engineLog{slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	l.Debug("a")
	l.Info("b")
	l.Warn("c")
	l.Error("d", 1)
	l.Fatal("e")
	if n := strings.Count(out.String(), `msg="queue engine" error=`); n != 5 {
		t.Errorf("log:\n%s", out.String())
	}
}

func TestOutcome(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	runs, id := NewRuns(rdb), ID{Lane: Sync, Digest: digest("a"), Generation: 5}
	if _, err := runs.Outcome(t.Context(), id); !errors.Is(err, ErrNoOutcome) {
		t.Errorf("before it ended: %v", err)
	}
	want := Outcome{State: "dead", Code: "denied", Tenant: "clinic-a", Kind: "patient.sync", Attempts: 3, FinishedAt: time.Now().UTC().Round(0)}
	must(t, runs.Finish(t.Context(), id, want))
	if got, err := runs.Outcome(t.Context(), id); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if ttl := rdb.TTL(t.Context(), "q1:{sync}:o:"+id.String()).Val(); ttl < 59*time.Minute || ttl > outcomeLife {
		t.Errorf("kept for %v", ttl)
	}
	rdb.Set(t.Context(), id.outcomeKey(), "{", 0)
	if _, err := runs.Outcome(t.Context(), id); err == nil || errors.Is(err, ErrNoOutcome) {
		t.Errorf("malformed: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := ID{Lane: Sync, Digest: digest("a"), Generation: 5}
	if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
		t.Errorf("in a queue that is not: %v", err)
	}
	waiting := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "b")).ID)
	if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
		t.Errorf("of a task that is not: %v", err)
	}
	if info, err := Find(t.Context(), rdb, waiting); err != nil || info.State != asynq.TaskStatePending || info.Headers["tenant"] != "clinic-a" {
		t.Errorf("%+v, %v", info, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, rdb, waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("on a cancelled context: %v", err)
	}
	_ = rdb.Close()
	if _, err := Find(t.Context(), rdb, waiting); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	enqueue(t, p, demand(Sync, "a"))
	enqueue(t, p, demand(Warm, "a"))
	later := demand(Warm, "b")
	later.At = time.Now().Add(time.Hour)
	enqueue(t, p, later)
	pop(t, rdb, Warm)
	if n, err := Depth(t.Context(), rdb); err != nil || n != 2 {
		t.Errorf("%d tasks, %v", n, err)
	}
	_ = rdb.Close()
	if _, err := Depth(t.Context(), rdb); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}
