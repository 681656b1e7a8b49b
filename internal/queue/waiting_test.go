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

		list := NewWaitingList(rdb, Interactive, "test.run")
		got, complete, err := list.Read(t.Context(), 100)
		must(t, err)
		if !complete {
			t.Error("the list is cut")
		}
		var ids []string
		for _, w := range got {
			ids = append(ids, w.ID)
			if w.Tenant != "clinic-a" || w.Code != map[string]codes.Code{id["a"].String(): codes.CacheUnavailable, id["b"].String(): codes.Error}[w.ID] {
				t.Errorf("%+v", w)
			}
		}
		want := []string{id["a"].String(), id["b"].String(), first.String(), id["c"].String(), id["e"].String()}
		slices.Sort(ids)
		slices.Sort(want)
		if !slices.Equal(ids, want) {
			t.Errorf("waiting: %v, want %v", ids, want)
		}
		if two, complete, err := list.Read(t.Context(), 2); err != nil || len(two) != 2 || complete {
			t.Errorf("two of them: %v, %v, %v", two, complete, err)
		}
		stores := func(c codes.Code) bool { return c == codes.CacheUnavailable }
		must(t, list.Forward(t.Context(), got, stores))
		start("a")
		start("e")
		must(t, list.Forward(t.Context(), got, stores)) // they have left
		start("d")
		if other, ok := pop(t, rdb, Interactive); ok {
			t.Errorf("%v came forward", other)
		}
	})
}

// TestWaitingListFollowsTasks checks that a repeated list has each task in its present place, and
// none that was demanded for later.
func TestWaitingListFollowsTasks(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		list := NewWaitingList(rdb, Interactive, "test.run")
		want := func(what string, n int) {
			t.Helper()
			if got, complete, err := list.Read(t.Context(), 100); err != nil || !complete || len(got) != n {
				t.Errorf("%s: %v, %v, %v", what, got, complete, err)
			}
		}
		d := demand(Interactive, "a")
		d.At = time.Now().Add(10 * time.Second)
		id := parse(t, enqueue(t, p, d).ID)
		other := demand(Interactive, "b")
		other.Kind = "test.other"
		enqueue(t, p, other)
		for range 2 {
			want("demanded for later", 0)
		}
		key := asynqTaskPrefix(Interactive) + id.String()
		must(t, rdb.ZAdd(t.Context(), asynqKey(Interactive, suffixSchedule), redis.Z{Score: 1, Member: id.String()}).Err())
		want("due", 1)
		must(t, rdb.ZAdd(t.Context(), asynqKey(Interactive, suffixSchedule), redis.Z{Score: float64(d.At.Unix()), Member: id.String()}).Err())
		must(t, rdb.HSet(t.Context(), key, "crashed", "1").Err())
		want("crashed in quarantine", 1)
		must(t, rdb.HDel(t.Context(), key, "crashed").Err())
		enqueue(t, p, demand(Interactive, "a"))
		want("brought forward", 1)
		for range 2 {
			if got, ok := pop(t, rdb, Interactive); !ok {
				t.Fatal("nothing to pop")
			} else if got == id {
				must(t, runs.Start(t.Context(), id))
			}
		}
		want("runs", 1)
		must(t, rdb.Del(t.Context(), key).Err())
		want("ended", 0)
	})
}

// TestLongLanes checks that a lane that is too long is not listed, and that many tasks come forward
// in their order.
func TestLongLanes(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	list := NewWaitingList(rdb, Interactive, "test.run")
	message := appendText(nil, fieldType, "test.run")
	pipe := rdb.Pipeline()
	for i := range 3 * placesBatch {
		id := strconv.Itoa(i)
		pipe.HSet(t.Context(), asynqTaskPrefix(Interactive)+id, "msg", message, "state", StatePending)
		pipe.LPush(t.Context(), asynqKey(Interactive, suffixPending), id)
	}
	_, err := pipe.Exec(t.Context())
	must(t, err)
	got, complete, err := list.Read(t.Context(), 5000)
	if must(t, err); !complete || len(got) != 3*placesBatch {
		t.Fatalf("%d tasks, %v", len(got), complete)
	}
	must(t, list.Forward(t.Context(), got, nil))
	after, err := rdb.LRange(t.Context(), asynqKey(Interactive, suffixPending), 0, -1).Result()
	must(t, err)
	for i, w := range got {
		if next := after[len(after)-1-i]; next != w.ID {
			t.Fatalf("in place %d is %s, want %s", i, next, w.ID)
		}
	}
	fill := make([]any, maxLine)
	for i := range fill {
		fill[i] = "x" + strconv.Itoa(i)
	}
	must(t, rdb.LPush(t.Context(), asynqKey(Interactive, suffixPending), fill...).Err())
	if got, complete, err := list.Read(t.Context(), 5000); err != nil || complete || len(got) > 0 {
		t.Errorf("of a long lane: %d tasks, %v, %v", len(got), complete, err)
	}
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
