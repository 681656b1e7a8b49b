package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// taskFunc is a handler that uses only the number of failures.
func taskFunc(f func(retried int) error) func(context.Context, *asynq.Task) error {
	return func(ctx context.Context, _ *asynq.Task) error {
		n, _ := asynq.GetRetryCount(ctx)
		return f(n)
	}
}

// aged is a demand with an earlier time.
func aged(lane, char string, ago time.Duration) Demand {
	d := demand(lane, char)
	d.Encode = func(string) ([]byte, map[string]string, error) {
		return []byte("sealed"), map[string]string{"tenant": "clinic-a", "enqueued_at": time.Now().Add(-ago).UTC().Format(time.RFC3339Nano)}, nil
	}
	return d
}

// TestStatsCountLikeAsynq runs asynq to check the counters and the names of its sets.
func TestStatsCountLikeAsynq(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := NewProducer(rdb)
	for i, char := range []string{"a", "b", "c"} {
		enqueue(t, p, aged(Sync, char, time.Duration(i)*time.Minute))
	}
	outcomes := []error{nil, errors.New("timeout"), fmt.Errorf("denied: %w", asynq.SkipRetry)}
	n := -1
	ended := make(chan struct{}, 3)
	serve(t, ServerOptions{Redis: rdb, Background: 1, Handler: handler{process: taskFunc(func(int) error {
		n++
		ended <- struct{}{}
		return outcomes[n]
	})}})
	for range outcomes {
		receive(t, ended)
	}
	var got LaneStats
	eventually(t, "all ended", func() bool {
		all, err := Stats(t.Context(), rdb)
		must(t, err)
		got = all[2]
		return got.Processed == 3
	})
	if got.Failed != 2 || got.ProcessedTotal != 3 || got.Retry != 1 || got.Archived != 1 || got.Active != 0 || got.NextDue.IsZero() || got.Oldest.IsZero() {
		t.Errorf("%+v", got)
	}
	retried, err := Tasks(t.Context(), rdb, Sync, StateRetry, 10)
	must(t, err)
	dead, err := Tasks(t.Context(), rdb, Sync, StateArchived, 10)
	must(t, err)
	if len(retried) != 1 || retried[0].Code != "timeout" || retried[0].Attempts != 1 || retried[0].NextAt.IsZero() {
		t.Errorf("retried: %+v", retried)
	}
	if len(dead) != 1 || dead[0].Code != codes.Hidden || time.Since(dead[0].DiedAt) > time.Minute {
		t.Errorf("dead, with free text as error: %+v", dead)
	}
}

// TestTasksShowsOnlyNames lists tasks that another program wrote into Redis.
func TestTasksShowsOnlyNames(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := asynq.NewClientFromRedisClient(rdb)
	names := []string{"Jane Doe", "jane.doe", "jane-doe-1980"}
	for _, name := range names {
		task := asynq.NewTaskWithHeaders(name, []byte("{}"), map[string]string{"tenant": name, "enqueued_at": name})
		_, err := c.EnqueueContext(t.Context(), task, asynq.Queue(Sync), asynq.TaskID(name))
		must(t, err)
	}
	got, err := Tasks(t.Context(), rdb, Sync, StatePending, 10)
	must(t, err)
	for i, name := range names {
		if len(got) != len(names) || got[i] != (Task{State: StatePending, Bytes: 2, raw: name}) {
			t.Errorf("%+v", got)
		}
	}
	stats, err := Stats(t.Context(), rdb)
	must(t, err)
	if strings.Contains(strings.ToLower(fmt.Sprintf("%+v", stats)), "jane") {
		t.Errorf("%+v", stats)
	}
	if _, err := Tasks(t.Context(), rdb, Sync, "{x}", 10); err == nil {
		t.Error("an unknown state was listed")
	}
}

func TestTasksPages(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := asynq.NewClientFromRedisClient(rdb)
	name := func(n int) string {
		return ID{Lane: Sync, Digest: strings.Repeat("a", digestLen), Generation: uint64(n)}.String()
	}
	for i := range page + 7 {
		_, err := c.EnqueueContext(t.Context(), asynq.NewTask("x.y", nil), asynq.Queue(Sync), asynq.TaskID(name(i)))
		must(t, err)
	}
	for limit, want := range map[int]int{1: 1, page - 1: page - 1, page: page, page + 3: page + 3, 5000: page + 7} {
		got, err := Tasks(t.Context(), rdb, Sync, StatePending, limit)
		if err != nil || len(got) != want || got[len(got)-1].ID != name(want-1) {
			t.Errorf("limit %d: %d tasks, %v", limit, len(got), err)
		}
	}
}

// TestPauseMatchesAsynq checks that a lane paused here is paused in asynq, and vice versa.
func TestPauseMatchesAsynq(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	enqueue(t, NewProducer(rdb), demand(Sync, "a"))
	i := asynq.NewInspectorFromRedisClient(rdb)
	for _, step := range []struct {
		act     func() (bool, error)
		changed bool
		paused  bool
	}{
		{func() (bool, error) { return Pause(t.Context(), rdb, Sync, PausedBy{}) }, true, true},
		{func() (bool, error) { return Pause(t.Context(), rdb, Sync, PausedBy{}) }, false, true},
		{func() (bool, error) { return Resume(t.Context(), rdb, Sync) }, true, false},
		{func() (bool, error) { return Resume(t.Context(), rdb, Sync) }, false, false},
		{func() (bool, error) { return true, i.PauseQueue(Sync) }, true, true},
	} {
		changed, err := step.act()
		must(t, err)
		info, err := i.GetQueueInfo(Sync)
		must(t, err)
		states, err := Stats(t.Context(), rdb)
		must(t, err)
		if changed != step.changed || info.Paused != step.paused || states[2].Paused != step.paused || states[2].PausedAt.IsZero() == step.paused {
			t.Errorf("changed %v, asynq reports %v, got %+v, want %+v", changed, info.Paused, states[2], step)
		}
	}
	if _, err := Pause(t.Context(), rdb, "nowhere", PausedBy{}); err == nil {
		t.Error("an unknown lane was paused")
	}
	if _, err := Resume(t.Context(), rdb, "nowhere"); err == nil {
		t.Error("an unknown lane was resumed")
	}
}
