package tasks

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// maxSealed is the largest payload that is opened, in bytes: far more than any
// that this package seals.
const maxSealed = 64 << 10

// recordTimeout bounds what is written after an attempt: it goes on when the
// attempt's own context has ended.
const recordTimeout = 5 * time.Second

// attempt is one delivery on its way through the router.
type attempt struct {
	*Router
	d          Delivery
	h          headers
	headersErr error
	id         queue.ID
	idErr      error
	began      time.Time
}

// run goes from the kind to the worker: route, open, decode, start, work.
func (a *attempt) run(ctx context.Context, run *Run) *decision {
	if ctx.Err() != nil {
		return classify(ctx, ctx.Err(), a.d.Failed, defaultAttempts)
	}
	rt, ok := a.routes[a.d.Kind]
	switch {
	case !ok:
		return dead(codes.UnknownKind)
	case a.headersErr != nil:
		return dead(codes.MalformedHeaders)
	case a.idErr != nil || a.id.Lane != a.d.Lane:
		return dead(codes.MalformedID)
	case a.h.version > rt.version:
		return later(time.Now().Add(newerWait), codes.NewerVersion)
	case len(a.d.Payload) > maxSealed:
		return dead(codes.TooLarge)
	}
	plain, err := a.keys.For(a.h.tenant.String()).Open(a.d.Payload, a.h.tenant.String(), a.d.Kind, a.d.ID)
	if err != nil {
		return dead(codes.DoesNotOpen)
	}
	task, code := rt.open(plain)
	if code != "" {
		return dead(code)
	}
	if a.d.Failed >= task.options.MaxAttempts {
		return dead(codes.Exhausted) // its last attempt hung until asynq gave up on it
	}
	if a.runs != nil {
		if err := a.runs.Start(ctx, a.id); err != nil {
			return later(time.Now().Add(time.Second), codes.QueueUnavailable)
		}
	}
	return a.work(ctx, run, task)
}

func (a *attempt) work(ctx context.Context, run *Run, task opened) *decision {
	ctx, cancel := context.WithTimeoutCause(ctx, task.options.Timeout, errTimeout)
	defer cancel()
	err := a.guard(ctx, run, func() error { return task.work(ctx, run) })
	return classify(ctx, err, a.d.Failed, task.options.MaxAttempts)
}

// errPanic stands for a panic. Its value may hold anything and is not kept.
var errPanic error = codes.Panic

// guard turns a panic into an error before asynq sees it, which would store
// its value.
func (r *Router) guard(ctx context.Context, run *Run, f func() error) (err error) {
	defer func() {
		if recover() == nil {
			return
		}
		r.log.ErrorContext(ctx, "task panicked", "tenant", run.Tenant, "kind", run.Kind, "task", run.ID, "stack", string(debug.Stack()))
		err = errPanic
	}()
	return f()
}

// settle writes down how the attempt ended and returns what asynq is told.
func (a *attempt) record(ctx context.Context, run *Run, d *decision) *decision {
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), queue.ErrDraining) {
		// The handler overstayed, or somebody cancelled it: asynq has put the task back already and another worker may
		// have it. What this run would write could be about that one.
		return d
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	switch {
	case d == nil:
		a.finish(ctx, run, OutcomeDone, "")
		return nil
	case d.State == OutcomeDead:
		if err := a.buryDeadLetter(ctx, run, d.Code); err != nil {
			a.log.ErrorContext(ctx, "dead letter cannot be buried", "tenant", run.Tenant, "kind", run.Kind, "task", run.ID, "code", CodeOf(err))
			return a.requeue(ctx, run, later(time.Now().Add(buryWait), codes.BuryFailed))
		}
		a.finish(ctx, run, OutcomeDead, d.Code)
		return d
	}
	return a.requeue(ctx, run, d)
}

// giveBack lets demands join the waiting task again, or drops it when an equal
// one takes its place.
func (a *attempt) requeue(ctx context.Context, run *Run, d *decision) *decision {
	if a.runs == nil || a.idErr != nil {
		return d
	}
	superseded, err := a.runs.Requeue(ctx, a.id, d.NextAt)
	if err != nil {
		// The task waits all the same; a demand meanwhile may run once more than needed.
		a.log.WarnContext(ctx, "task cannot be given back", "task", run.ID, "error", err)
	}
	if !superseded {
		return d
	}
	a.finish(ctx, run, OutcomeDone, codes.Superseded)
	return nil
}

func (a *attempt) finish(ctx context.Context, run *Run, state string, code Code) {
	if a.runs == nil || a.idErr != nil {
		return
	}
	err := a.runs.Finish(ctx, a.id, queue.Outcome{
		State: state, Code: code, Tenant: run.Tenant, Kind: run.Kind, Attempts: run.Attempt, FinishedAt: time.Now().UTC(),
	})
	if err != nil {
		a.log.WarnContext(ctx, "outcome is not kept", "task", run.ID, "error", err)
	}
}

// DeadLetter is a task that will not run again by itself. Everything in it may
// be shown, except that Payload is sealed.
type DeadLetter struct {
	// TaskID is the task's ID. Burying one twice must be harmless.
	TaskID string
	// Tenant is the alias of the tenant. Empty when the task named none.
	Tenant string
	// Kind is the task's kind. Empty when it was malformed.
	Kind string
	// Lane is where the task lay.
	Lane string
	// Code says why it died.
	Code Code
	// Attempts counts the attempts made, the last included.
	Attempts int
	// EnqueuedAt is when it was asked for. Zero when the task did not say.
	EnqueuedAt time.Time
	// DiedAt is now.
	DiedAt time.Time
	// Payload is the sealed arguments, as they travelled.
	Payload []byte
	// Headers is those of ours that came with them.
	Headers map[string]string
}

func (a *attempt) buryDeadLetter(ctx context.Context, run *Run, code Code) error {
	letter := DeadLetter{
		TaskID: a.d.ID, Tenant: run.Tenant, Kind: run.Kind, Lane: a.d.Lane, Code: code, Attempts: run.Attempt,
		EnqueuedAt: run.EnqueuedAt, DiedAt: time.Now().UTC(), Payload: a.d.Payload, Headers: run.Headers,
	}
	if a.bury != nil {
		if err := a.bury(ctx, letter); err != nil {
			return err
		}
	}
	a.log.ErrorContext(ctx, "task is dead", "tenant", run.Tenant, "kind", run.Kind, "lane", a.d.Lane, "task", a.d.ID,
		"code", code, "attempts", run.Attempt, "duration", time.Since(a.began))
	return nil
}
