package queue

import (
	"context"
	"maps"
	"testing"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestPoolsAreChecked(t *testing.T) {
	t.Parallel()
	rdb, h := redistest.New(t), handler{}
	for name, pools := range map[string][]Pool{
		"no slots":         {{Lanes: map[string]int{Sync: 1}}},
		"no lanes":         {{Slots: 1}},
		"malformed lane":   {{Slots: 1, Lanes: map[string]int{"lab.": 1}}},
		"no weight":        {{Slots: 1, Lanes: map[string]int{Sync: 0}}},
		"one lane twice":   {{Slots: 1, Lanes: map[string]int{Sync: 1}}, {Slots: 1, Lanes: map[string]int{Sync: 1}}},
		"a hundred pools":  make([]Pool, 100),
		"braces in a lane": {{Slots: 1, Lanes: map[string]int{"{sync}": 1}}},
	} {
		if _, err := NewServer(ServerOptions{Redis: rdb, Handler: h, Pools: pools}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestQuarantineLanesAreServed(t *testing.T) {
	t.Parallel()
	given := []Pool{{Slots: 2, Lanes: map[string]int{Push: 1, Quarantine: 1}}, {Slots: 1, Lanes: map[string]int{"lab.sync": 3, "lab.warm": 1}}}
	got := withQuarantines(given)
	if !maps.Equal(got[0].Lanes, given[0].Lanes) || !maps.Equal(got[1].Lanes, map[string]int{"lab.sync": 3, "lab.warm": 1, "lab.quarantine": 1}) {
		t.Errorf("%+v", got)
	}
	if len(given[1].Lanes) != 2 {
		t.Error("the caller's map was changed")
	}
}

// TestServerServesLanesOfAService checks that a server runs the tasks of its lanes and no others.
func TestServerServesLanesOfAService(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ran := make(chan string, 8)
	serve(t, ServerOptions{
		Redis: rdb, Pools: []Pool{{Slots: 1, Lanes: map[string]int{"lab.sync": 1}}},
		Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
			id, _ := asynq.GetTaskID(ctx)
			ran <- id
			return nil
		}},
	})
	p := NewProducer(rdb)
	enqueue(t, p, demand(Sync, "a"))
	want := enqueue(t, p, demand("lab.sync", "a"))
	if got := receive(t, ran); got != want.ID {
		t.Errorf("ran %s, want %s", got, want.ID)
	}
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 1 {
		t.Errorf("%d tasks wait in our own lane", n)
	}
	stats, err := Stats(t.Context(), rdb)
	if err != nil || len(stats) != len(lanes)+1 || stats[len(lanes)].Lane != "lab.sync" {
		t.Errorf("lanes %+v, %v", stats, err)
	}
}

// TestTaskOfAnEarlierReleaseRuns checks that a task with an ID of the former kind runs, and that a
// later demand of a producer of that release is a task of its own.
func TestTaskOfAnEarlierReleaseRuns(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := parse(t, "sync-"+digest("a")+"-1772442000000000")
	rdb.Set(t.Context(), id.formerKey(), id.Generation, 0)
	_, err := asynq.NewClientFromRedisClient(rdb).EnqueueContext(t.Context(), asynq.NewTask("test.run", []byte("sealed")), asynq.Queue(Sync), asynq.TaskID(id.String()))
	must(t, err)
	ran := make(chan string, 8)
	serve(t, ServerOptions{Redis: rdb, Handler: handler{process: func(ctx context.Context, _ *asynq.Task) error {
		raw, _ := asynq.GetTaskID(ctx)
		ran <- raw
		return NewRuns(rdb).Start(ctx, id)
	}}})
	if got := receive(t, ran); got != id.String() {
		t.Errorf("ran %s, want %s", got, id)
	}
	eventually(t, "the former generation is gone", func() bool { return rdb.Exists(t.Context(), id.formerKey()).Val() == 0 })
}
