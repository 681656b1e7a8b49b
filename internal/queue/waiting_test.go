package queue

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// stopped puts a popped task into retry with an error, as asynq does.
func stopped(t *testing.T, rdb redis.UniversalClient, id ID, code codes.Code) {
	t.Helper()
	key := asynqTaskPrefix(id.Lane) + id.String()
	rdb.HSet(t.Context(), key, "msg", rdb.HGet(t.Context(), key, "msg").Val()+string(reasonFields(code, time.Now())))
	finishAt(t, rdb, id, StateRetry, time.Now().Add(time.Hour))
}

// TestWaitingTasksComeForward checks which tasks of a kind wait, and that those that a store has
// stopped run before all others.
func TestWaitingTasksComeForward(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		id := map[string]ID{}
		add := func(char, kind string, at time.Time) {
			d := demand(Interactive, char)
			d.Kind, d.At = kind, at
			id[char] = parse(t, enqueue(t, p, d).ID)
		}
		start := func(char string) {
			if got, ok := pop(t, rdb, Interactive); !ok || got != id[char] {
				t.Fatalf("popped %v, want %s", got, char)
			}
			must(t, runs.Start(t.Context(), id[char]))
		}
		add("a", "test.run", time.Time{}) // stopped by a store
		start("a")
		stopped(t, rdb, id["a"], codes.CacheUnavailable)
		add("b", "test.run", time.Time{}) // failed by itself
		start("b")
		stopped(t, rdb, id["b"], codes.Error)
		add("c", "test.run", time.Time{}) // runs, with an equal one behind it
		start("c")
		first := id["c"]
		add("c", "test.run", time.Time{})
		if _, ok := pop(t, rdb, Interactive); ok {
			t.Fatal("two equal tasks run")
		}
		add("d", "test.runner", time.Time{}) // another kind
		add("e", "test.run", time.Time{})    // pending
		add("f", "test.run", time.Now().Add(time.Hour))

		got, err := Waiting(t.Context(), rdb, Interactive, "test.run", 100)
		must(t, err)
		var ids []string
		for _, w := range got {
			ids = append(ids, w.ID)
			if w.Tenant != "clinic-a" || w.Inherits() != (w.ID == id["a"].String() || w.ID == id["b"].String()) ||
				w.Code != map[string]codes.Code{id["a"].String(): codes.CacheUnavailable, id["b"].String(): codes.Error}[w.ID] {
				t.Errorf("%+v", w)
			}
		}
		want := []string{id["a"].String(), id["b"].String(), first.String(), id["c"].String(), id["e"].String()}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("waiting: %v, want %v", ids, want)
		}
		if two, err := Waiting(t.Context(), rdb, Interactive, "test.run", 2); err != nil || len(two) != 2 {
			t.Errorf("two of them: %v, %v", two, err)
		}

		must(t, Forward(t.Context(), rdb, Interactive, got, func(c codes.Code) bool { return c == codes.CacheUnavailable }))
		start("a")
		start("e")
		must(t, Forward(t.Context(), rdb, Interactive, got, func(c codes.Code) bool { return c == codes.CacheUnavailable })) // they have left
		start("d")
		if other, ok := pop(t, rdb, Interactive); ok {
			t.Errorf("%v came forward", other)
		}
	})
}

// TestServerAsksBeforeItPops checks that no task is taken of a lane that is not ready, and that
// tasks are taken soon after it is.
func TestServerAsksBeforeItPops(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var ready atomic.Bool
	ran := make(chan string, 10)
	s, err := NewServer(ServerOptions{
		Redis: rdb, Check: 5 * time.Millisecond, Ready: func(lane string) bool { return lane == Warm || ready.Load() },
		Handler: handler{process: func(_ context.Context, task *asynq.Task) error { ran <- task.Headers()["lane"]; return nil }},
	})
	must(t, err)
	must(t, s.Start())
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	for lane, char := range map[string]string{Sync: "a", Warm: "b", Interactive: "c"} {
		d := demand(lane, char)
		d.Encode = func(string) ([]byte, map[string]string, error) {
			return nil, map[string]string{"lane": lane}, nil
		}
		enqueue(t, NewProducer(rdb), d)
	}
	if first := <-ran; first != Warm {
		t.Errorf("a task of %s ran", first)
	}
	select {
	case lane := <-ran:
		t.Errorf("a task of %s ran", lane)
	case <-time.After(200 * time.Millisecond):
	}
	ready.Store(true)
	got := []string{<-ran, <-ran}
	slices.Sort(got)
	if !slices.Equal(got, []string{Interactive, Sync}) {
		t.Errorf("then %v ran", got)
	}
}
