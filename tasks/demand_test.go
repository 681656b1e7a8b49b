package tasks

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// demandEvery demands the same task every 50 ms until ctx ends.
func (b *bundle) demandEvery(ctx context.Context, t *testing.T, a Args) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if _, err := b.client.Enqueue(ctx, "clinic-a", a); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// TestSteadyDemandOnAFailingKind demands a task that always fails every 50 ms. It dies after its
// attempts, which are as far apart as the back-off of each failure says, and no outcome is "done".
func TestSteadyDemandOnAFailingKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type attempt struct {
		number int
		at     time.Time
		next   time.Time
	}
	var mu sync.Mutex
	var attempts []attempt
	var ids []string
	buried := make(chan DeadLetter, 16)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }, Middleware: []Middleware{
		func(next Next) Next {
			return func(ctx context.Context, run *Run) error {
				began := time.Now()
				err := next(ctx, run)
				mu.Lock()
				defer mu.Unlock()
				attempts = append(attempts, attempt{run.Attempt, began, OutcomeOf(err).NextAt})
				ids = append(ids, run.ID)
				return err
			}
		},
	}})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return errors.New("failed") }))
	b.serve(t, r)
	ctx, stop := context.WithCancel(t.Context())
	var demands sync.WaitGroup
	demands.Go(func() { b.demandEvery(ctx, t, note{Text: "x"}) })
	l := receive(t, buried)
	stop()
	demands.Wait()
	eventually(t, "the last attempt has ended", func() bool { mu.Lock(); defer mu.Unlock(); return len(attempts) >= 3 })
	if l.Attempts != 3 || l.Code != codes.Error {
		t.Errorf("dead after %d attempts with %s", l.Attempts, l.Code)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, a := range attempts[:3] {
		if a.number != i+1 {
			t.Errorf("attempt %d counts as %d", i+1, a.number)
		}
		if i > 0 && a.at.Before(attempts[i-1].next) {
			t.Errorf("attempt %d began %v before its back-off ended", i+1, attempts[i-1].next.Sub(a.at))
		}
	}
	for _, id := range slices.Compact(ids) {
		if s := b.status(t, id); s.State == StateDone {
			t.Errorf("%+v", s)
		}
	}
}

// TestSteadyDemandOnASlowKind demands a slow task every 50 ms. It never overlaps itself, and each
// run is followed by another.
func TestSteadyDemandOnASlowKind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var running, overlaps, runs atomic.Int64
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(ctx context.Context, _ *Job[note]) error {
		if running.Add(1) > 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		runs.Add(1)
		timer := time.NewTimer(300 * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}))
	b.serve(t, r)
	b.serve(t, r) // a second worker
	ctx, stop := context.WithCancel(t.Context())
	var demands sync.WaitGroup
	demands.Go(func() { b.demandEvery(ctx, t, note{Text: "x"}) })
	eventually(t, "ten runs", func() bool { return runs.Load() >= 10 })
	stop()
	demands.Wait()
	if overlaps.Load() > 0 {
		t.Errorf("%d of %d runs overlapped another", overlaps.Load(), runs.Load())
	}
}

// TestCanceledTaskDies checks that a task that an operator cancels ends as a dead letter that can
// be replayed.
func TestCanceledTaskDies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	buried := make(chan DeadLetter, 4)
	started := make(chan struct{}, 4)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }})
	Handle(r, WorkerFunc[note](func(ctx context.Context, j *Job[note]) error {
		started <- struct{}{}
		<-ctx.Done()
		if j.Args.Text == "later" {
			return Later(time.Now(), "unsure")
		}
		return ctx.Err()
	}))
	b.serve(t, r)
	for _, text := range []string{"x", "later"} {
		id := b.enqueue(t, note{Text: text}).ID
		receive(t, started)
		eventually(t, "a worker receives the cancellation", func() bool {
			b.rdb.Publish(t.Context(), "asynq:cancel", id)
			return len(buried) > 0
		})
		l := receive(t, buried)
		if l.TaskID != id || l.Code != codes.CanceledByOperator || len(l.Payload) == 0 {
			t.Errorf("dead letter of %s with %s", l.TaskID, l.Code)
		}
		eventually(t, "the task is dead", func() bool { return b.status(t, id).State == StateDead })
		if s := b.status(t, id); s.Code != codes.CanceledByOperator || len(started) > 0 {
			t.Errorf("status %+v, %d more runs", s, len(started))
		}
		eventually(t, "asynq has archived it", func() bool { return b.rdb.ZScore(t.Context(), "asynq:{sync}:archived", id).Err() == nil })
	}
}

// TestJobHasItsTokenAndTask checks that a run knows its fencing token and that it has its task.
func TestJobHasItsTokenAndTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type seen struct {
		token uint64
		held  error
	}
	got := make(chan seen, 4)
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(ctx context.Context, j *Job[note]) error {
		got <- seen{j.Token, Held(ctx)}
		if j.Attempt == 1 {
			return errors.New("failed")
		}
		return nil
	}))
	b.serve(t, r)
	b.enqueue(t, note{Text: "x"})
	first, second := receive(t, got), receive(t, got)
	if first.token == 0 || second.token <= first.token || first.held != nil || second.held != nil {
		t.Errorf("%+v, then %+v", first, second)
	}
	if err := Held(t.Context()); err != nil {
		t.Errorf("outside of a worker: %v", err)
	}
}

// TestTaskThatCrashedInQuarantineDies checks that a task which ended its worker's process alone in
// quarantine is a dead letter that can be replayed, and that its worker does not run it.
func TestTaskThatCrashedInQuarantineDies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	buried := make(chan DeadLetter, 1)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { t.Error("it runs"); return nil }))
	id := b.enqueue(t, note{Text: "x"}).ID
	message := b.rdb.HGet(t.Context(), "asynq:{sync}:t:"+id, "msg").Val() + "\x22\x0aquarantine" // its queue
	b.rdb.Del(t.Context(), "asynq:{sync}:pending", "asynq:{sync}:t:"+id)
	b.rdb.SAdd(t.Context(), "asynq:queues", "quarantine")
	b.rdb.HSet(t.Context(), "asynq:{quarantine}:t:"+id, "msg", message, "state", "pending", "crashes", 3)
	b.rdb.LPush(t.Context(), "asynq:{quarantine}:pending", id)
	b.serve(t, r)
	l := receive(t, buried)
	if l.TaskID != id || l.Code != codes.Crashed || len(l.Payload) == 0 || l.Attempts != 1 {
		t.Errorf("%+v", l)
	}
	eventually(t, "asynq has archived it", func() bool { return b.rdb.ZScore(t.Context(), "asynq:{quarantine}:archived", id).Err() == nil })
	if s := b.status(t, id); s.State != StateDead || s.Code != codes.Crashed {
		t.Errorf("%+v", s)
	}
}
