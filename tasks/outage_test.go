package tasks

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// permanently is an error of another package that no attempt can repair.
type permanently struct{ error }

func (permanently) Permanent() bool { return true }

// A store that is unavailable costs no attempt, and hides no fault of the task.
func TestOutagesArePostponed(t *testing.T) {
	t.Parallel()
	of := func(s outage.Store, k outage.Kind) error {
		return fmt.Errorf("read something: %w", outage.New(s, k, false, errors.New("x")))
	}
	slow := outage.New(outage.Cache, outage.Unavailable, true, context.DeadlineExceeded)
	b := setup(t)
	for name, row := range map[string]struct {
		err  error
		want string
		code Code
	}{
		"queue unreachable":    {of(outage.Queue, outage.Unavailable), OutcomeLater, codes.QueueUnavailable},
		"queue full":           {of(outage.Queue, outage.Full), OutcomeLater, codes.QueueFull},
		"cache read-only":      {of(outage.Cache, outage.ReadOnly), OutcomeLater, codes.CacheReadOnly},
		"cache frozen":         {slow, OutcomeLater, codes.CacheUnavailable},
		"ledger full":          {errors.Join(errors.New("x"), of(outage.Ledger, outage.Full)), OutcomeLater, codes.LedgerFull},
		"permanent":            {Permanent(of(outage.Cache, outage.Full)), OutcomeDead, codes.CacheFull},
		"permanent, by method": {errors.Join(permanently{errors.New("x")}, slow), OutcomeDead, ""},
		"later":                {errors.Join(Later(time.Now().Add(time.Hour), "reason"), slow), OutcomeLater, "reason"},
		"plain":                {context.DeadlineExceeded, OutcomeRetry, codes.Error},
	} {
		r := b.router(t, RouterOptions{})
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return row.err }))
		d := b.seal(t, note{Text: "x"})
		d.Failed = 1
		o := OutcomeOf(r.Deliver(t.Context(), d))
		if o.State != row.want || row.code != "" && o.Code != row.code {
			t.Errorf("%s: %+v", name, o)
		}
		if wait := time.Until(o.NextAt); o.State == OutcomeLater && row.code != "reason" && (wait < 500*time.Millisecond || wait > 3*time.Second) {
			t.Errorf("%s: it waits for %v", name, wait)
		}
	}
}

// A store that has been too slow for a task for a day is at fault for that task alone, which does
// not run forever. Any other outage may last longer.
func TestStoreThatIsAlwaysTooSlowCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, row := range map[string]struct {
		slow bool
		age  time.Duration
		want string
	}{
		"slow, for less than a day": {true, 23 * time.Hour, OutcomeLater},
		"slow, for a day":           {true, 25 * time.Hour, OutcomeRetry},
		"down, for a day":           {false, 25 * time.Hour, OutcomeLater},
	} {
		r := b.router(t, RouterOptions{})
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
			return outage.New(outage.Ledger, outage.Unavailable, row.slow, errors.New("x"))
		}))
		d := b.seal(t, note{Text: "x"})
		d.Headers[headerEnqueuedAt] = time.Now().Add(-row.age).UTC().Format(time.RFC3339Nano)
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != row.want || o.Code != codes.LedgerUnavailable {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// brief is a kind whose attempts may take a second.
type brief struct{}

func (brief) Kind() string     { return "brief.run" }
func (brief) Options() Options { return Options{Lane: LaneSync, Timeout: time.Second} }

// A handler that used up its own time is at fault, even if a store was the last that it waited for.
func TestHandlerThatHangsIsNoOutage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[brief](func(ctx context.Context, _ *Job[brief]) error {
		<-ctx.Done()
		return outage.New(outage.Ledger, outage.Unavailable, true, ctx.Err())
	}))
	o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, brief{})))
	if o.State != OutcomeRetry || o.Code != codes.Timeout {
		t.Errorf("%+v", o)
	}
}

// What a worker enqueues while the queue is unavailable fails with an outage.
func TestClientReturnsOutages(t *testing.T) {
	t.Parallel()
	node := redistest.StartNode(t)
	b := setup(t)
	rdb, err := redisconn.Dial("redis://"+node.Addr, redisconn.Options{})
	must(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	client, err := NewClient(ClientOptions{Redis: rdb, Keys: b.keys})
	must(t, err)
	r := b.router(t, RouterOptions{})
	more := int64(0) // a demand that joins one that waits may need no write
	Handle(r, WorkerFunc[note](func(ctx context.Context, _ *Job[note]) error {
		more++
		_, err := client.Enqueue(ctx, "clinic-a", note{Text: "more", Number: more})
		return err
	}))
	deliver := func(want string, code Code) {
		t.Helper()
		if o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, note{Text: "x"}))); o.State != want || o.Code != code {
			t.Errorf("%+v, want %s %s", o, want, string(code))
		}
	}
	deliver(OutcomeDone, "")
	must(t, node.Client(t).ConfigSet(t.Context(), "maxmemory", "1").Err())
	deliver(OutcomeLater, codes.QueueFull)
	must(t, node.Client(t).ConfigSet(t.Context(), "maxmemory", "0").Err())
	node.Demote(t, redistest.StartNode(t))
	deliver(OutcomeLater, codes.QueueReadOnly)
	node.Kill()
	deliver(OutcomeLater, codes.QueueUnavailable)
}

// A dead letter that a full ledger cannot take waits as short as any task during an outage.
func TestDeadLetterWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Bury: func(context.Context, DeadLetter) error {
		return outage.New(outage.Ledger, outage.Full, false, errors.New("x"))
	}})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return Permanent(errors.New("x")) }))
	o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, note{Text: "x"})))
	if o.State != OutcomeLater || o.Code != codes.LedgerFull || time.Until(o.NextAt) > 3*time.Second {
		t.Errorf("%+v", o)
	}
}
