package tasks

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// TestExpiredTask checks what is left of a task whose work was not needed any more, and that the
// next demand runs.
func TestExpiredTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	outcomes := map[string]Outcome{}
	r := b.router(t, RouterOptions{
		Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { t.Errorf("dead: %+v", l); return nil },
		Middleware: []Middleware{func(next Next) Next {
			return func(ctx context.Context, run *Run) error {
				err := next(ctx, run)
				mu.Lock()
				defer mu.Unlock()
				outcomes[run.ID] = OutcomeOf(err)
				return err
			}
		}},
	})
	ran := make(chan string, 4)
	Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error {
		ran <- j.ID
		if j.Args.Text == "odd" {
			return Expired("Not a Code")
		}
		return Expired("not_needed")
	}))
	b.serve(t, r)
	for text, code := range map[string]Code{"x": "not_needed", "odd": "expired"} {
		id := b.enqueue(t, note{Text: text}).ID
		receive(t, ran)
		eventually(t, "the task is gone", func() bool { return b.rdb.Exists(t.Context(), "asynq:{sync}:t:"+id).Val() == 0 })
		if s := b.status(t, id); s.State != StateExpired || s.Code != code || s.Tenant != "clinic-a" || s.FinishedAt.IsZero() {
			t.Errorf("%+v", s)
		}
		mu.Lock()
		if o := outcomes[id]; o.State != OutcomeExpired || o.Code != code || !o.NextAt.IsZero() {
			t.Errorf("%+v", o)
		}
		mu.Unlock()
		if again := b.enqueue(t, note{Text: text}); again.Joined || receive(t, ran) != again.ID {
			t.Errorf("the next demand caused no run: %+v", again)
		}
	}
	if n := b.rdb.ZCard(t.Context(), "asynq:{sync}:archived").Val() + b.rdb.ZCard(t.Context(), "asynq:{sync}:retry").Val(); n != 0 {
		t.Errorf("%d tasks are dead or wait", n)
	}
}

// TestLatestDemand checks that a run knows the last of the demands that joined its task, and
// whether it was replayed.
func TestLatestDemand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	buried := make(chan DeadLetter, 1)
	r := b.router(t, RouterOptions{Redis: b.rdb, Bury: func(_ context.Context, l DeadLetter) error { buried <- l; return nil }})
	jobs := make(chan Job[note], 2)
	Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error {
		jobs <- *j
		if j.Replayed {
			return nil
		}
		return Permanent(Code("broken"))
	}))
	first := b.enqueue(t, note{Text: "x"})
	eventually(t, "Redis' clock has moved on", func() bool {
		s := b.status(t, first.ID)
		return b.rdb.Time(t.Context()).Val().After(s.EnqueuedAt.Add(2 * time.Millisecond))
	})
	joining := b.rdb.Time(t.Context()).Val()
	if second := b.enqueue(t, note{Text: "x"}); !second.Joined {
		t.Fatalf("%+v", second)
	}
	b.serve(t, r)
	j := receive(t, jobs)
	if j.Replayed || j.DemandedAt.Before(joining.Truncate(time.Microsecond)) || !j.EnqueuedAt.Before(joining) || j.DemandedAt.After(time.Now()) {
		t.Errorf("joined at %v: %+v", joining, j)
	}
	l := receive(t, buried)
	eventually(t, "the task is archived", func() bool { return b.rdb.ZCard(t.Context(), "asynq:{sync}:archived").Val() == 1 })
	replayed := b.rdb.Time(t.Context()).Val()
	if _, err := queue.NewProducer(b.rdb).Replay(t.Context(), queue.Dead{ID: l.TaskID, Kind: l.Kind, Payload: l.Payload, Headers: l.Headers}); err != nil {
		t.Fatal(err)
	}
	if j := receive(t, jobs); !j.Replayed || j.DemandedAt.Before(replayed.Truncate(time.Microsecond)) || !j.EnqueuedAt.Before(joining) {
		t.Errorf("replayed at %v: %+v", replayed, j)
	}
}
