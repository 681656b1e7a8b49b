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

	"github.com/workflow-bolt/rounds/internal/redisconn"
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

// TestInteractiveHasReservedSlots checks that endless background work does not occupy urgent slots.
func TestInteractiveHasReservedSlots(t *testing.T) {
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
	for _, char := range []string{"a", "b", "c"} {
		enqueue(t, p, demand(Sync, char))
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

func TestWorkerWaitsForRedis(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	c := dialPrivate(t, server)
	ran := make(chan string, 8)
	s := serve(t, ServerOptions{Redis: c, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		ran <- id
		return nil
	}}})
	server.Start(t) // after the worker
	first := enqueue(t, NewProducer(c), demand(Sync, "a"))
	if got := receive(t, ran); got != first.ID {
		t.Errorf("ran %s, want %s", got, first.ID)
	}
	server.Kill()
	if _, err := NewProducer(c).Enqueue(t.Context(), []Demand{demand(Sync, "b")}); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("enqueue without redis: %v", err)
	}
	server.Start(t)
	second := enqueue(t, NewProducer(c), demand(Sync, "b"))
	if got := receive(t, ran); got != second.ID {
		t.Errorf("ran %s, want %s", got, second.ID)
	}
	must(t, s.Stop(t.Context()))
}

func TestStopWithoutRedisIsBounded(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	c := dialPrivate(t, server)
	s := serve(t, ServerOptions{Redis: c, Handler: handler{}})
	start := time.Now()
	must(t, s.Stop(t.Context()))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("stop took %v", took)
	}
}

// TestStopRequeuesEverything stops a worker: the running task is canceled, costs no attempt and is
// the next of its lane, and tasks that have not started stay pending.
func TestStopRequeuesEverything(t *testing.T) {
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
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 3 {
		t.Errorf("%d pending, want the one that ran and two that never started", n)
	}
	info, err := find(t.Context(), rdb, parse(t, first.ID))
	if err != nil || info.State != asynq.TaskStatePending || info.Retried != 0 {
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
	// Its task must not run beside it, so it keeps the lease, which nothing renews from now on.
	if n := rdb.ZCard(t.Context(), asynqKey(Sync, suffixLease)).Val(); n != 1 {
		t.Errorf("%d leases: the task was requeued", n)
	}
	close(release)
	receive(t, ended)
}

func TestStopEndsWithContext(t *testing.T) {
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
		t.Error("a stop that ended early reports success")
	}
	eventually(t, "the handler is canceled all the same", func() bool { return s.running.Load() == 0 })
}

// TestServerStress starts and stops a worker repeatedly.
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

func TestRetryUsesHandler(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{delay: 30 * time.Minute, excused: true, process: func(context.Context, *asynq.Task) error {
		return errFailed
	}}})
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	var info *asynq.TaskInfo
	eventually(t, "it waits for its retry", func() bool {
		var err error
		info, err = find(t.Context(), rdb, id)
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
