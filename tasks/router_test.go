package tasks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

type notBefore struct{ at time.Time }

func (notBefore) Error() string                    { return "not now: pace" }
func (e notBefore) NotBefore() (time.Time, string) { return e.at, "pace" }

type permanentError struct{ permanent bool }

func (permanentError) Error() string     { return "tebra GetPatient: denied" }
func (e permanentError) Permanent() bool { return e.permanent }
func (permanentError) ErrorCode() string { return "denied" }

var errPlain = errors.New("patient 4711 cannot be read")

func TestOutcomes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Now().Add(time.Hour).Truncate(time.Second)
	for name, row := range map[string]struct {
		err    error
		failed int
		want   string // state and code
		in     time.Duration
	}{
		"done":                        {nil, 0, "done ", 0},
		"plain":                       {errPlain, 0, "retry error", 3 * time.Second},
		"plain code":                  {Code("vendor_asleep"), 1, "retry vendor_asleep", 5 * time.Second},
		"wrapped code":                {fmt.Errorf("read 4711: %w", Code("gone")), 0, "retry gone", 3 * time.Second},
		"one word of text":            {errors.New("mustermann"), 0, "retry error", 3 * time.Second},
		"ErrorCode method":            {permanentError{}, 0, "retry denied", 3 * time.Second},
		"plain, last attempt":         {errPlain, 2, "dead error", 0},
		"permanent":                   {Permanent(errPlain), 0, "dead permanent", 0},
		"permanent code":              {Permanent(codes.UnknownPractice), 0, "dead unknown_practice", 0},
		"permanent, one word of text": {Permanent(fmt.Errorf("record 4711: %w", errors.New("mustermann"))), 0, "dead permanent", 0},
		"permanent, text of a code":   {Permanent(errors.New("pace")), 0, "dead permanent", 0},
		"permanent, wrapped":          {fmt.Errorf("x: %w", Permanent(errPlain)), 0, "dead permanent", 0},
		"permanent by method":         {fmt.Errorf("x: %w", permanentError{permanent: true}), 0, "dead denied", 0},
		"later":                       {Later(at, "vendor_down"), 2, "later vendor_down", time.Hour},
		"later, wrapped":              {fmt.Errorf("x: %w", Later(at, "vendor_down")), 2, "later vendor_down", time.Hour},
		"later, malformed reason":     {Later(at, "patient 4711"), 0, "later later", time.Hour},
		"later, past":                 {Later(time.Now().Add(-time.Hour), "a"), 0, "later a", time.Second},
		"later, never":                {Later(at.AddDate(5000, 0, 0), "a"), 0, "later a", farLater + time.Second},
		"later by method":             {fmt.Errorf("x: %w", notBefore{at}), 2, "later pace", time.Hour},
		"Permanent over NotBefore":    {Permanent(notBefore{at}), 0, "dead permanent", 0},
		"Later over permanent method": {errors.Join(Later(at, "a"), permanentError{permanent: true}), 0, "later a", time.Hour},
		"NotBefore over permanent":    {errors.Join(permanentError{permanent: true}, notBefore{at}), 0, "later pace", time.Hour},
		"Permanent(nil)":              {Permanent(nil), 0, "done ", 0},
		"failures over the limit":     {nil, 3, "dead exhausted", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := b.router(t, RouterOptions{})
			Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return row.err }))
			d := b.seal(t, note{Text: "x"})
			d.Failed = row.failed
			err := r.Deliver(t.Context(), d)
			o := OutcomeOf(err)
			if got := o.State + " " + string(o.Code); got != row.want {
				t.Errorf("outcome %q, want %q", got, row.want)
			}
			if err != nil && err.Error() != string(o.Code) {
				t.Errorf("the error's text is %q, which asynq would store", err)
			}
			if (o.State == OutcomeDead) != errors.Is(err, asynq.SkipRetry) {
				t.Errorf("the error wraps asynq.SkipRetry: %v", errors.Is(err, asynq.SkipRetry))
			}
			if (o.State == OutcomeRetry) != (err != nil && r.IsFailure(err)) {
				t.Error("IsFailure and the outcome disagree")
			}
			if delay := r.RetryDelay(row.failed, err, nil); o.State != OutcomeDone && delay > row.in {
				t.Errorf("runs again in %v, want at most %v", delay, row.in)
			}
			if row.in >= time.Hour && time.Until(o.NextAt).Round(time.Minute) != row.in.Round(time.Minute) {
				t.Errorf("runs again in %v, want %v", time.Until(o.NextAt), row.in)
			}
			if !o.NextAt.Equal(o.NextAt.Truncate(time.Second)) {
				t.Errorf("%v is not a whole second", o.NextAt)
			}
		})
	}
}

func TestRetryDelayHasFullJitterAndACap(t *testing.T) {
	t.Parallel()
	for failed, limit := range map[int]time.Duration{0: 2 * time.Second, 3: 16 * time.Second, 20: retryCap, 1 << 29: retryCap} {
		low, high := limit, time.Duration(0)
		for range 400 {
			d := retryDelay(failed)
			low, high = min(low, d), max(high, d)
		}
		if low < 0 || high > limit || low > limit/10 || high < limit*9/10 {
			t.Errorf("after %d failures: between %v and %v, want it spread over %v", failed, low, high, limit)
		}
	}
}

func TestErrorsOfAsynq(t *testing.T) {
	t.Parallel()
	r := setup(t).router(t, RouterOptions{})
	for err, row := range map[error]struct {
		counts bool
		within time.Duration
	}{
		asynq.ErrLeaseExpired:    {false, 0},
		queue.ErrDraining:        {false, 0},
		context.Canceled:         {false, time.Second},
		context.DeadlineExceeded: {true, retryBase},
	} {
		if r.IsFailure(err) != row.counts || r.RetryDelay(0, err, nil) > row.within {
			t.Errorf("%v: counts as a failure: %v, runs again in %v", err, r.IsFailure(err), r.RetryDelay(0, err, nil))
		}
	}
	if o := OutcomeOf(queue.ErrDraining); o.State != OutcomeLater {
		t.Errorf("outcome of a drain: %+v", o)
	}
	if o := OutcomeOf(errPlain); o.State != OutcomeRetry || o.Code != codes.Error {
		t.Errorf("outcome of a plain error: %+v", o)
	}
}

// Each reason for which the context of a run ends. The test uses synctest, so no real time passes.
func TestContextEndsRun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.seal(t, note{Text: "x"})
	for name, row := range map[string]struct {
		end  func(cancel context.CancelCauseFunc)
		want string
	}{
		"timeout":  {func(context.CancelCauseFunc) {}, "retry timeout"},
		"drain":    {func(cancel context.CancelCauseFunc) { cancel(queue.ErrDraining) }, "later draining"},
		"operator": {func(cancel context.CancelCauseFunc) { cancel(nil) }, "later canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := b.router(t, RouterOptions{})
				Handle(r, WorkerFunc[note](func(ctx context.Context, _ *Job[note]) error {
					<-ctx.Done()
					return ctx.Err()
				}))
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				began := time.Now()
				time.AfterFunc(time.Second, func() { row.end(cancel) })
				o := OutcomeOf(r.Deliver(ctx, d))
				if got := o.State + " " + string(o.Code); got != row.want {
					t.Errorf("outcome %q, want %q", got, row.want)
				}
				if took := time.Since(began); name == "timeout" && took != defaultTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

func TestDrainingWorkerStartsNoTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { t.Error("the task ran"); return nil }))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(queue.ErrDraining)
	if o := OutcomeOf(r.Deliver(ctx, b.seal(t, note{}))); o.State != OutcomeLater {
		t.Errorf("outcome %+v", o)
	}
}

func TestPanicValueIsNotLogged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var log bytes.Buffer
	r := b.router(t, RouterOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error { panic("patient " + j.Args.Text) }))
	err := r.Deliver(t.Context(), b.seal(t, note{Text: "marigold"}))
	if o := OutcomeOf(err); o.State != OutcomeRetry || o.Code != codes.Panic {
		t.Errorf("outcome %+v", o)
	}
	if !strings.Contains(log.String(), "router_test.go") || strings.Contains(log.String(), "marigold") {
		t.Errorf("the log lacks the stack or contains the value:\n%s", log.String())
	}
}

// asynq's own mux matches prefixes: it would deliver note.write.again to the worker of note.write.
func TestKindsMatchExactly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { t.Error("the task ran"); return nil }))
	for _, kind := range []string{"note.write.again", "note.writer", "note", "note.writ", "Note.write", "note.write ", ""} {
		d := b.seal(t, note{})
		d.Kind = kind
		want := OutcomeDead
		if validKind(kind) {
			want = OutcomeLater // another release may have this kind
		}
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != want || o.Code != codes.UnknownKind {
			t.Errorf("%q: %+v", kind, o)
		}
	}
}

func TestTaskIsRetriedWhenBuryFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Bury: func(context.Context, DeadLetter) error { return errors.New("cannot store 4711") }})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return Permanent(errPlain) }))
	err := r.Deliver(t.Context(), b.seal(t, note{}))
	if o := OutcomeOf(err); o.State != OutcomeLater || o.Code != codes.BuryFailed || errors.Is(err, asynq.SkipRetry) {
		t.Errorf("outcome %+v", o)
	}
}

func TestDeadLetterHoldsTheWholeTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got DeadLetter
	r := b.router(t, RouterOptions{Bury: func(_ context.Context, l DeadLetter) error { got = l; return nil }})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return errPlain }))
	d := b.seal(t, note{Text: "x"})
	d.Failed = 2
	_ = r.Deliver(t.Context(), d)
	want := DeadLetter{
		TaskID: d.ID, Tenant: "clinic-a", Kind: "note.write", Lane: LaneSync, Code: codes.Error, Attempts: 3,
		Payload: d.Payload, Headers: d.Headers, EnqueuedAt: got.EnqueuedAt, DiedAt: got.DiedAt,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if time.Since(got.EnqueuedAt) > time.Minute || time.Since(got.DiedAt) > time.Minute {
		t.Errorf("enqueued %v, died %v", got.EnqueuedAt, got.DiedAt)
	}
}

func TestMiddlewareOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got []string
	step := func(name string) Middleware {
		return func(next Next) Next {
			return func(ctx context.Context, run *Run) error {
				got = append(got, name)
				err := next(ctx, run)
				got = append(got, name+" "+string(OutcomeOf(err).Code))
				return err
			}
		}
	}
	r := b.router(t, RouterOptions{Middleware: []Middleware{step("a"), InTenant, step("b")}})
	Handle(r, WorkerFunc[note](func(ctx context.Context, j *Job[note]) error {
		got = append(got, "work "+TenantOf(ctx))
		return Code("failed")
	}))
	_ = r.Deliver(t.Context(), b.seal(t, note{}))
	if diff := cmp.Diff([]string{"a", "b", "work clinic-a", "b failed", "a failed"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An error or panic in middleware has the same outcome as one in the worker.
func TestMiddlewareFailures(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for want, middleware := range map[string]Middleware{
		"retry gone":  func(Next) Next { return func(context.Context, *Run) error { return Code("gone") } },
		"retry panic": func(Next) Next { return func(context.Context, *Run) error { panic("x") } },
		"later shut":  func(Next) Next { return func(context.Context, *Run) error { return Later(time.Now(), "shut") } },
		"dead closed": func(Next) Next { return func(context.Context, *Run) error { return Permanent(Code("closed")) } },
	} {
		r := b.router(t, RouterOptions{Middleware: []Middleware{middleware}})
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
		if o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, note{}))); o.State+" "+string(o.Code) != want {
			t.Errorf("%s: %+v", want, o)
		}
	}
}

// renamed is a kind with a former name.
type renamed struct{ note }

func TestAliasesAcceptTheFormerName(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	ran := 0
	Handle(r, WorkerFunc[renamed](func(context.Context, *Job[renamed]) error { ran++; return nil }))
	for _, d := range []Delivery{b.seal(t, note{Text: "x"}), b.seal(t, renamed{note{Text: "x"}})} {
		must(t, r.Deliver(t.Context(), d))
	}
	if ran != 2 {
		t.Errorf("ran %d of 2 tasks", ran)
	}
}

type (
	oddKind    struct{}
	oddLane    struct{}
	oddVersion struct{}
)

func TestHandlePanicsOnInvalidKinds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, register := range map[string]func(r *Router){
		"taken":   func(r *Router) { Handle(r, WorkerFunc[note](nil)) },
		"alias":   func(r *Router) { Handle(r, WorkerFunc[renamed](nil)) },
		"kind":    func(r *Router) { Handle(r, WorkerFunc[oddKind](nil)) },
		"lane":    func(r *Router) { Handle(r, WorkerFunc[oddLane](nil)) },
		"version": func(r *Router) { Handle(r, WorkerFunc[oddVersion](nil)) },
	} {
		r := b.router(t, RouterOptions{})
		Handle(r, WorkerFunc[note](nil))
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Handle accepted the kind", name)
				}
			}()
			register(r)
		}()
	}
}

func TestInvalidKeysAreRejected(t *testing.T) {
	t.Parallel()
	if _, err := NewRouter(RouterOptions{Keys: []byte("{}")}); err == nil {
		t.Error("NewRouter accepted an empty keyset")
	}
	if _, err := NewClient(ClientOptions{Keys: nil}); err == nil {
		t.Error("NewClient accepted nil keys")
	}
}
