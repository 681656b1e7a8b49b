package queue

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestWorkersAreProcesses(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	if got, err := Workers(t.Context(), rdb); err != nil || len(got) != 0 {
		t.Fatalf("before any runs: %+v, %v", got, err)
	}
	serve(t, ServerOptions{
		Redis: rdb, Reserved: 2, Background: 3,
		Handler: handler{process: func(context.Context, *asynq.Task) error { return nil }},
	})
	eventually(t, "both halves are announced as one", func() bool {
		got, err := Workers(t.Context(), rdb)
		return err == nil && len(got) == 1 && got[0].Slots == 5 && got[0].Name != "" && time.Since(got[0].Started) < time.Hour
	})
	lanes := Lanes()
	slices.Sort(lanes)
	if got, _ := Workers(t.Context(), rdb); len(got) != 1 || !slices.Equal(got[0].Lanes, lanes) {
		t.Errorf("lanes: %+v", got)
	}
	_ = rdb.Close()
	if _, err := Workers(t.Context(), rdb); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

// A killed worker is gone before asynq forgets it, when neither of its servers has sent a heartbeat
// in time. A worker that is being stopped takes no tasks of any lane.
func TestSilentWorkerIsGone(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s := serve(t, ServerOptions{Redis: rdb, Handler: handler{process: func(context.Context, *asynq.Task) error { return nil }}})
	count := func() int {
		got, err := Workers(t.Context(), rdb)
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	var keys []string
	eventually(t, "both heartbeats", func() bool {
		keys = rdb.Keys(t.Context(), "asynq:servers:{*").Val()
		return len(keys) == 2
	})
	for _, key := range keys {
		if left := rdb.PTTL(t.Context(), key).Val(); left <= asynqServerLife-silence || left > asynqServerLife {
			t.Errorf("asynq keeps the record of a server for %s", left)
		}
	}
	rdb.PExpire(t.Context(), keys[0], time.Second)
	if n := count(); n != 1 {
		t.Errorf("with one heartbeat in time: %d workers", n)
	}
	rdb.PExpire(t.Context(), keys[1], time.Second)
	if n := count(); n != 0 {
		t.Errorf("without a heartbeat in time: %d workers", n)
	}
	eventually(t, "the next heartbeats", func() bool { return count() == 1 })
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 0 {
		t.Errorf("after a stop: %d workers", n)
	}
}

// While its handlers end, a worker that was stopped is listed without lanes.
func TestStoppingWorkerHasNoLanes(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	begun, end := make(chan struct{}), make(chan struct{})
	s := serve(t, ServerOptions{
		Redis: rdb, Drain: Drain{Soft: 20 * time.Second, Hard: 21 * time.Second, Limit: 22 * time.Second},
		Handler: handler{process: func(context.Context, *asynq.Task) error { close(begun); <-end; return nil }},
	})
	enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(context.Background()) }()
	eventually(t, "a worker without lanes", func() bool {
		got, err := Workers(t.Context(), rdb)
		return err == nil && len(got) == 1 && len(got[0].Lanes) == 0
	})
	close(end)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
