package tasks

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// These tests show beside each other what plain asynq does and what this package does.

// copies returns the copies of running tasks that workers keep in Redis.
func copies(t *testing.T, rdb *redis.Client) string {
	t.Helper()
	var all strings.Builder
	for _, key := range rdb.Keys(t.Context(), "asynq:workers:*").Val() {
		for _, v := range rdb.HGetAll(t.Context(), key).Val() {
			all.WriteString(v)
		}
	}
	return all.String()
}

// TestHeartbeatBesidePlainAsynq looks at what a worker's heartbeat copies into a second place in
// Redis: a running task with its payload. Only a sealed payload shows nothing there.
func TestHeartbeatBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	const marker = "marker-of-an-argument"
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		rdb := redistest.New(t)
		srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{LogLevel: asynq.FatalLevel, ShutdownTimeout: 10 * time.Millisecond})
		release := make(chan struct{})
		if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { <-release; return nil })); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(srv.Shutdown)
		t.Cleanup(func() { close(release) })
		if _, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("note.write", []byte(`{"text":"`+marker+`"}`))); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the payload is copied", func() bool { return strings.Contains(copies(t, rdb), marker) })
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := b.router(t, RouterOptions{Redis: b.rdb})
		seen, release := make(chan string, 1), make(chan struct{})
		Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error {
			seen <- j.Args.Text
			<-release
			return nil
		}))
		b.serve(t, r)
		t.Cleanup(func() { close(release) })
		id := b.enqueue(t, note{Text: marker}).ID
		if got := <-seen; got != marker {
			t.Fatalf("the worker received %q", got)
		}
		eventually(t, "the task is copied", func() bool { return strings.Contains(copies(t, b.rdb), id) })
		if strings.Contains(copies(t, b.rdb), marker) {
			t.Error("the copy shows an argument")
		}
	})
}

// spelled has a kind and a key that tests choose.
type spelled struct {
	kind string
	Key  string `json:"key"`
}

func (s spelled) Kind() string      { return s.kind }
func (s spelled) UniqueKey() string { return s.Key }

// growing returns one schedule at first, and all of them later.
type growing struct {
	all    []*asynq.PeriodicTaskConfig
	before atomic.Bool
}

func (g *growing) GetConfigs() ([]*asynq.PeriodicTaskConfig, error) {
	if g.before.Swap(true) {
		return g.all, nil
	}
	return g.all[:1], nil
}

// TestIdentityBesidePlainAsynq gives two different tasks kinds and arguments that are equal when
// written one after the other. asynq takes the second schedule for the first, which it has already.
func TestIdentityBesidePlainAsynq(t *testing.T) {
	t.Parallel()
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		var mu sync.Mutex
		enqueued := map[string]int{}
		m, err := asynq.NewPeriodicTaskManager(asynq.PeriodicTaskManagerOpts{
			RedisUniversalClient: redistest.New(t),
			SchedulerOpts: &asynq.SchedulerOpts{LogLevel: asynq.FatalLevel, PreEnqueueFunc: func(task *asynq.Task, _ []asynq.Option) {
				mu.Lock()
				defer mu.Unlock()
				enqueued[task.Type()]++
			}},
			SyncInterval: 100 * time.Millisecond,
			PeriodicTaskConfigProvider: &growing{all: []*asynq.PeriodicTaskConfig{
				{Cronspec: "@every 1s", Task: asynq.NewTask("note.a", []byte("bc"))},
				{Cronspec: "@every 1s", Task: asynq.NewTask("note.ab", []byte("c"))},
				{Cronspec: "@every 1s", Task: asynq.NewTask("note.last", nil)},
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Shutdown)
		eventually(t, "the last is enqueued twice", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return enqueued["note.last"] >= 2
		})
		mu.Lock()
		defer mu.Unlock()
		if enqueued["note.a"] == 0 || enqueued["note.ab"] != 0 {
			t.Errorf("asynq enqueues %v: it no longer takes two tasks for one", enqueued)
		}
	})
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first, second := b.enqueue(t, spelled{"note.a", "bc"}), b.enqueue(t, spelled{"note.ab", "c"})
		if second.Joined || digestOf(t, first.ID) == digestOf(t, second.ID) {
			t.Errorf("%+v and %+v are one task", first, second)
		}
		if again := b.enqueue(t, spelled{"note.ab", "c"}); !again.Joined || again.ID != second.ID {
			t.Errorf("an equal demand: %+v", again)
		}
	})
}

// digestOf returns the part of a task's ID that equal tasks share.
func digestOf(t *testing.T, id string) string {
	t.Helper()
	digest, _, ok := strings.Cut(id, ".")
	if !ok {
		t.Fatalf("the ID %q has no digest", id)
	}
	return digest
}
