package tasks

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func (b *bundle) explain(t *testing.T, id string) Explanation {
	t.Helper()
	// Operators have no keyset.
	e, err := NewReader(b.rdb).Explain(t.Context(), id)
	must(t, err)
	return e
}

// wantReasons compares the codes of the chain.
func wantReasons(t *testing.T, what string, e Explanation, want ...Code) {
	t.Helper()
	got := make([]Code, len(e.Reasons))
	for i, r := range e.Reasons {
		got[i] = r.Code
	}
	if len(got) != len(want) {
		t.Errorf("%s waits because of %v, want %v", what, got, want)
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s waits because of %v, want %v", what, got, want)
			return
		}
	}
}

func TestExplainNamesTheChain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	receipts, err := b.client.EnqueueMany(t.Context(), "clinic-a", patients(40))
	must(t, err)
	last := receipts[39].ID
	e := b.explain(t, last)
	wantReasons(t, "a booked task without a worker", e, codes.NoWorker, codes.Booked)
	if !e.Start.At.IsZero() || time.Until(e.Start.NotBefore) < 5*time.Second || e.State != StateScheduled || e.Tenant != "clinic-a" {
		t.Errorf("%+v", e)
	}
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return errors.New("failed") }))
	s := b.serve(t, r)
	eventually(t, "the worker is known", func() bool { return b.explain(t, last).Reasons[0].Code != codes.NoWorker })
	e = b.explain(t, last)
	wantReasons(t, "a booked task", e, codes.Booked)
	if place := b.scheduled(t)[last]; e.Start.At.Sub(time.Now().Add(place)).Abs() > time.Second {
		t.Errorf("its place is in %v, and it starts at %v", place, e.Start.At)
	}
	failed := b.enqueue(t, note{Text: "x"}).ID
	eventually(t, "the note has failed", func() bool { return b.status(t, failed).State == StateRetrying })
	if e := b.explain(t, failed); e.State == StateRetrying {
		wantReasons(t, "a task that failed", e, codes.Error)
	}
	_, err = queue.Pause(t.Context(), b.rdb, LaneSync, queue.PausedBy{By: "ann", Why: "a person's name"})
	must(t, err)
	later := b.enqueue(t, note{Text: "y"}, In(time.Hour)).ID
	e = b.explain(t, later)
	wantReasons(t, "a task for later in a paused lane", e, codes.LanePaused, codes.DemandedForLater)
	if r := e.Reasons[0]; r.By != "ann" || r.Why != "" {
		t.Errorf("%+v: a reason that is no words of letters and digits is not shown", r)
	}
	must(t, s.Stop(t.Context()))
}

func TestExplainFailsAsStatusDoes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.client.Explain(t.Context(), "no task"); !errors.Is(err, ErrID) {
		t.Errorf("of a malformed ID: %v", err)
	}
	id := b.enqueue(t, note{Text: "x"}).ID
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
	b.serve(t, r)
	eventually(t, "the task is done", func() bool { return b.status(t, id).State == StateDone })
	if e := b.explain(t, id); e.State != StateDone || len(e.Reasons) != 0 || e.Start != (ExpectedStart{}) || e.Kind != "note.write" {
		t.Errorf("of a task that is done: %+v", e)
	}
	if _, err := (&Client{}).Explain(t.Context(), id); err == nil {
		t.Error("without Redis")
	}
	reader := NewReader(b.rdb)
	if _, err := reader.Enqueue(t.Context(), "clinic-a", note{Text: "x"}); !errors.Is(err, errNoKeys) {
		t.Errorf("enqueue without a keyset: %v", err)
	}
	if _, err := reader.Seal(t.Context(), "clinic-a", note{Text: "x"}); !errors.Is(err, errNoKeys) {
		t.Errorf("seal without a keyset: %v", err)
	}
	_ = b.rdb.Close()
	if _, err := b.client.Explain(t.Context(), id); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}
