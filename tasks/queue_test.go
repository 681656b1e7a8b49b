package tasks

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// These tests use the whole path: client, Redis, asynq's server and router.

func TestThousandEqualDemandsCauseOneRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs atomic.Int64
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { runs.Add(1); return nil }))
	many := make([]Args, 1000)
	for i := range many {
		many[i] = note{Text: "x"}
	}
	receipts, err := b.client.EnqueueMany(t.Context(), "clinic-a", many)
	must(t, err)
	b.serve(t, r)
	eventually(t, "the task is done", func() bool { return b.status(t, receipts[999].ID).State == StateDone })
	if runs.Load() != 1 || receipts[0].Joined || !receipts[999].Joined {
		t.Errorf("ran %d times", runs.Load())
	}
}

func TestDemandDuringARunCausesAnotherRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs atomic.Int64
	started, release := make(chan struct{}, 16), make(chan struct{})
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
		runs.Add(1)
		started <- struct{}{}
		<-release
		return nil
	}))
	b.serve(t, r)
	first := b.enqueue(t, note{Text: "x"})
	receive(t, started)
	second := b.enqueue(t, note{Text: "x"})
	if second.Joined || second.ID == first.ID {
		t.Errorf("the first demand during the run: %+v", second)
	}
	if third := b.enqueue(t, note{Text: "x"}); !third.Joined || third.ID != second.ID {
		t.Errorf("the second demand during the run: %+v", third)
	}
	eventually(t, "the second task waits for the end of the run", func() bool {
		return b.rdb.ZScore(t.Context(), "asynq:{sync}:scheduled", second.ID).Err() == nil
	})
	if len(started) > 0 {
		t.Error("the second task began during the run of the first")
	}
	close(release)
	for _, id := range []string{first.ID, second.ID} {
		eventually(t, "all tasks are done", func() bool { return b.status(t, id).State == StateDone })
	}
	if runs.Load() != 2 {
		t.Errorf("ran %d times", runs.Load())
	}
}

// A run that fails while a newer demand waits is not retried: the newer task takes over.
func TestWaitingDemandSupersedesFailedRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs atomic.Int64
	started, release := make(chan struct{}, 4), make(chan struct{})
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
		started <- struct{}{}
		if runs.Add(1) == 1 {
			<-release
			return errors.New("failed")
		}
		return nil
	}))
	s, err := queue.NewServer(queue.ServerOptions{Redis: b.rdb, Handler: r, Background: 1, Check: 5 * time.Millisecond})
	must(t, err)
	must(t, s.Start())
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	first := b.enqueue(t, note{Text: "x"})
	receive(t, started)
	second := b.enqueue(t, note{Text: "x"})
	close(release)
	eventually(t, "the second task is done", func() bool { return b.status(t, second.ID).State == StateDone })
	if st := b.status(t, first.ID); st.State != StateSuperseded || st.Code != codes.Superseded {
		t.Errorf("the first task: %+v", st)
	}
	if st := b.status(t, second.ID); st.Attempt != 2 {
		t.Errorf("the second task: %+v", st)
	}
	if runs.Load() != 2 {
		t.Errorf("ran %d times", runs.Load())
	}
}

func TestDeadLetterDoesNotBlockNewTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var broken atomic.Bool
	broken.Store(true)
	buried := make(chan DeadLetter, 1)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
		if broken.Load() {
			return Permanent(Code("denied"))
		}
		return nil
	}))
	b.serve(t, r)
	first := b.enqueue(t, note{Text: "x"})
	if l := receive(t, buried); l.TaskID != first.ID || l.Code != "denied" {
		t.Errorf("dead letter of task %s with code %s", l.TaskID, l.Code)
	}
	eventually(t, "asynq has archived the task", func() bool {
		return b.rdb.ZCard(t.Context(), "asynq:{sync}:archived").Val() == 1
	})
	if s := b.status(t, first.ID); s.State != StateDead || s.Code != "denied" || s.Tenant != "clinic-a" || s.Attempt != 1 || s.FinishedAt.IsZero() {
		t.Errorf("status %+v", s)
	}
	broken.Store(false)
	second := b.enqueue(t, note{Text: "x"})
	if second.Joined || second.ID == first.ID {
		t.Errorf("after the dead letter: %+v", second)
	}
	eventually(t, "the next task is done", func() bool { return b.status(t, second.ID).State == StateDone })
}

// Redis stores only the code of an error, and Later never uses an attempt.
func TestRetryStoresCodeAndCountsAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error {
		if j.Args.Text == "later" {
			return Later(time.Now().Add(time.Hour), "vendor_down")
		}
		return errors.New("patient marigold cannot be read")
	}))
	b.serve(t, r)
	for text, want := range map[string]Status{
		"later": {State: StateRetrying, Code: "vendor_down", Attempt: 0},
		"fail":  {State: StateRetrying, Code: codes.Error, Attempt: 1},
	} {
		id := b.enqueue(t, note{Text: text}).ID
		eventually(t, "the task waits", func() bool { return b.status(t, id).State == want.State })
		s := b.status(t, id)
		if s.Code != want.Code || s.Attempt != want.Attempt || s.NextAt.Before(s.EnqueuedAt.Truncate(time.Second)) {
			t.Errorf("%s: %+v", text, s)
		}
		if again := b.enqueue(t, note{Text: text}); !again.Joined || again.ID != id {
			t.Errorf("%s: a demand while the task waits: %+v", text, again)
		}
	}
	if strings.Contains(everything(t, b.rdb), "marigold") {
		t.Error("Redis holds the text of the error")
	}
}

func TestStatusReportsEachState(t *testing.T) {
	t.Parallel()
	b := setup(t)
	release := make(chan struct{})
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { <-release; return nil }))
	id := b.enqueue(t, note{Text: "x"}).ID
	if s := b.status(t, id); s.State != StateWaiting || s.Attempt != 0 || time.Since(s.EnqueuedAt) > time.Minute {
		t.Errorf("waiting: %+v", s)
	}
	b.serve(t, r)
	eventually(t, "the task runs", func() bool { s := b.status(t, id); return s.State == StateRunning && s.Attempt == 1 })
	close(release)
	eventually(t, "the task is done", func() bool { return b.status(t, id).State == StateDone })
	if s := b.status(t, id); s.Tenant != "clinic-a" || s.Kind != "note.write" || s.Attempt != 1 || s.FinishedAt.IsZero() || s.Code != "" {
		t.Errorf("done: %+v", s)
	}
}

// A worker that stops requeues its running task without using an attempt, and another worker runs
// the task again.
func TestDrainedTaskRunsInAnotherWorker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	started := make(chan int, 4)
	var stopped atomic.Bool
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(ctx context.Context, j *Job[note]) error {
		started <- j.Attempt
		if !stopped.Load() {
			<-ctx.Done()
			return errors.New("call was interrupted")
		}
		return nil
	}))
	first := b.serve(t, r)
	id := b.enqueue(t, note{Text: "x"}).ID
	receive(t, started)
	must(t, first.Stop(t.Context()))
	if s := b.status(t, id); s.State != StateWaiting || s.Code != codes.Draining || s.Attempt != 0 {
		t.Errorf("after the drain: %+v", s)
	}
	if r := b.enqueue(t, note{Text: "x"}); r.ID != id || !r.Joined {
		t.Errorf("a demand after the drain: %+v", r)
	}
	stopped.Store(true)
	b.serve(t, r)
	if attempt := receive(t, started); attempt != 1 {
		t.Errorf("the other worker runs attempt %d, want 1", attempt)
	}
	eventually(t, "the task is done", func() bool { return b.status(t, id).State == StateDone })
}

// asynq requeues a task whose context ends before the handler returns, and another worker may run
// it. The late result of the first handler must not change that run.
func TestAbandonedRunWritesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(context.Context, DeadLetter) error { t.Error("a dead letter was buried"); return nil }})
	for _, result := range []error{nil, errors.New("failed"), Permanent(errors.New("denied"))} {
		d := b.seal(t, note{Text: "x"})
		ctx, cancel := context.WithCancel(t.Context())
		r.routes = map[string]route{}
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { cancel(); return result }))
		_ = r.Deliver(ctx, d)
		if s := b.status(t, d.ID); s.State != StateUnknown {
			t.Errorf("the result %v was stored: %+v", result, s)
		}
	}
}

func TestRedisOutageAtStartUsesNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	dead, err := redisconn.Dial("redis://127.0.0.1:1", redisconn.Options{})
	must(t, err)
	t.Cleanup(func() { _ = dead.Close() })
	r := b.router(t, RouterOptions{Redis: dead})
	ran := false
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { ran = true; return nil }))
	if o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, note{}))); o.State != OutcomeLater || o.Code != codes.QueueUnavailable || ran {
		t.Errorf("outcome %+v, ran %v", o, ran)
	}
}

// A task that asynq's own client puts into a lane becomes a dead letter without a run.
func TestForeignTaskIsRejected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	buried := make(chan DeadLetter, 1)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { t.Error("the task ran"); return nil }))
	b.serve(t, r)
	_, err := asynq.NewClientFromRedisClient(b.rdb).EnqueueContext(t.Context(), asynq.NewTask("note.write", []byte(`{"text":"x"}`)), asynq.Queue(LaneSync))
	must(t, err)
	if l := receive(t, buried); l.Code != codes.MalformedHeaders || l.Tenant != "" || l.Kind != "note.write" {
		t.Errorf("dead letter of kind %q, tenant %q, code %s", l.Kind, l.Tenant, l.Code)
	}
}
