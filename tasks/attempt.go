package tasks

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// maxSealed is the size of the largest payload that is opened, in bytes. It is far larger than any
// that this package seals.
const maxSealed = 64 << 10

const (
	// recordTimeout limits the recording of an outcome, which continues after the attempt's context
	// has ended.
	recordTimeout = 8 * time.Second
	// recordPause is the wait before an outcome that could not be recorded is tried again.
	recordPause = 200 * time.Millisecond
)

// attempt is one delivery on its way through the router.
type attempt struct {
	*Router
	d          Delivery
	shown      Delivery // what of d may be stored and logged
	h          headers
	headersErr error
	id         queue.ID
	idErr      error
	began      time.Time
	rt         route
	plain      []byte
}

// age returns the time since the task was demanded, by the clock of its producer.
func (a *attempt) age() time.Duration {
	if a.h.enqueuedAt.IsZero() {
		return 0
	}
	return time.Since(a.h.enqueuedAt)
}

// prepare finds the route, opens the payload and marks the start. It runs no code of others: from
// the mark on, the end of the process counts as a crash of the task.
func (a *attempt) prepare(ctx context.Context) *decision {
	if ctx.Err() != nil {
		return classify(ctx, ctx.Err(), a.d.Failed, defaultAttempts, a.age())
	}
	rt, ok := a.routes[a.d.Kind]
	switch {
	case !ok && (a.idErr != nil || !phi.IsSealed(a.d.Payload)):
		return dead(codes.UnknownKind) // another program wrote it, and no release of this one
	case !ok:
		return a.notYet(ctx, codes.UnknownKind)
	case a.headersErr != nil:
		return dead(codes.MalformedHeaders)
	case a.idErr != nil || a.id.Lane != a.d.Lane && queue.QuarantineOf(a.id.Lane) != a.d.Lane:
		return dead(codes.MalformedID)
	case queue.Crashed(ctx):
		return dead(codes.Crashed)
	case a.h.version > rt.version:
		return a.notYet(ctx, codes.NewerVersion)
	case len(a.d.Payload) > maxSealed:
		return dead(codes.TooLarge)
	}
	var err error
	a.rt = rt
	a.plain, err = a.keys.For(a.h.tenant.String()).Open(a.d.Payload, a.h.tenant.String(), a.d.Kind, a.d.ID)
	switch {
	case err != nil && a.h.key != "" && !a.keys.Has(a.h.key):
		return a.notYet(ctx, codes.UnknownKey)
	case err != nil:
		return dead(codes.DoesNotOpen)
	}
	if a.runs == nil {
		return nil
	}
	switch err := a.runs.Start(ctx, a.id); {
	case errors.Is(err, queue.ErrLeaseLost):
		return later(time.Now(), codes.LeaseExpired)
	case err != nil:
		return postponedOr(err, time.Second, codes.QueueUnavailable)
	}
	return nil
}

// run decodes the payload and runs the worker.
func (a *attempt) run(ctx context.Context, run *Run) *decision {
	task, code := a.rt.open(a.plain)
	if code != "" {
		return dead(code)
	}
	if a.d.Failed >= task.options.MaxAttempts {
		return dead(codes.Exhausted) // its last attempt hung until asynq abandoned it
	}
	return a.work(ctx, run, task)
}

func (a *attempt) work(ctx context.Context, run *Run, task opened) *decision {
	ctx, cancel := context.WithTimeoutCause(ctx, task.options.Timeout, errTimeout)
	defer cancel()
	err := a.guard(ctx, run, func() error { return task.work(ctx, run) })
	d := classify(ctx, err, a.d.Failed, task.options.MaxAttempts, a.age())
	if d != nil && d.Code == codes.UnknownKey && d.State != OutcomeLater {
		return a.notYet(ctx, codes.UnknownKey) // of credentials or a data key
	}
	return d
}

// errPanic replaces the value of a panic, which may hold anything.
var errPanic error = codes.Panic

// guard turns a panic of f into errPanic before asynq recovers it, because asynq would store its
// value.
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

// record records the outcome of the attempt and returns the decision for asynq.
func (a *attempt) record(ctx context.Context, run *Run, d *decision) *decision {
	cause := context.Cause(ctx)
	inOrder := cause == nil || errors.Is(cause, queue.ErrDraining) || errors.Is(cause, queue.ErrCanceled)
	if !inOrder || queue.Held(ctx) != nil {
		// The handler returned too late, and another worker may be running the task: a record of
		// this run could be taken for that one's.
		return unrecorded(d)
	}
	ctx, cancel := queue.Closing(ctx, recordTimeout)
	defer cancel()
	switch {
	case d == nil:
		return a.finish(ctx, run, OutcomeDone, "")
	case d.State == OutcomeExpired:
		if again := a.finish(ctx, run, OutcomeExpired, d.Code); again != nil {
			return again
		}
		return d
	case d.State == OutcomeDead:
		if err := a.buryDeadLetter(ctx, run, d.Code); err != nil {
			a.log.ErrorContext(ctx, "cannot bury dead letter", "tenant", run.Tenant, "kind", run.Kind, "task", run.ID, "code", CodeOf(err))
			return a.requeue(ctx, run, postponedOr(err, buryWait, codes.BuryFailed))
		}
		_ = a.finish(ctx, run, OutcomeDead, d.Code) // the archive also shows that it is dead
		return d
	}
	return a.requeue(ctx, run, d)
}

// unrecorded returns the decision for a run whose end is not recorded. asynq takes its result if it
// arrives at the moment at which asynq gives the run up, and then the task must not leave the
// queue: without an outcome nothing would be known of it, and without a dead letter it would be
// lost.
func unrecorded(d *decision) *decision {
	if d == nil || d.State == OutcomeDead || d.State == OutcomeExpired {
		return later(time.Now(), codes.LeaseExpired)
	}
	return d
}

// requeue lets demands join the task while it waits again, or drops the task if an equal one takes
// over.
func (a *attempt) requeue(ctx context.Context, run *Run, d *decision) *decision {
	if a.runs == nil || a.idErr != nil {
		return d
	}
	failures := a.d.Failed
	if d.State == OutcomeRetry {
		failures++
	}
	at := d.NextAt
	if !d.exact.IsZero() && d.exact.Before(at) {
		at = d.exact
	}
	superseded, err := a.runs.Requeue(ctx, a.id, queue.Again{At: at, Failures: failures, Code: d.Code})
	if err != nil {
		// The task waits nevertheless; demands that arrive meanwhile may cause one unneeded run.
		a.log.WarnContext(ctx, "cannot requeue task", "task", run.ID, "error", err)
	}
	if !superseded {
		return d
	}
	if again := a.finish(ctx, run, string(StateSuperseded), codes.Superseded); again != nil {
		return again
	}
	return &decision{Outcome: d.Outcome, superseded: true}
}

// finish records the outcome, and tries again while there is time. A task that has ended leaves the
// queue, so one whose outcome cannot be recorded stays there and runs again: otherwise its status
// would be that of a task that never existed.
func (a *attempt) finish(ctx context.Context, run *Run, state string, code Code) *decision {
	if a.runs == nil || a.idErr != nil {
		return nil //nolint:nilerr // a task with a malformed ID has no outcome
	}
	o := queue.Outcome{
		State: state, Code: code, Tenant: run.Tenant, Kind: run.Kind, Attempts: run.Attempt, FinishedAt: time.Now().UTC(),
	}
	for {
		err := a.runs.Finish(ctx, a.id, o)
		if err == nil {
			return nil
		}
		if !wait(ctx, recordPause) {
			a.log.WarnContext(ctx, "cannot record outcome", "task", run.ID, "error", err)
			return postponedOr(err, time.Second, codes.QueueUnavailable)
		}
	}
}

// wait waits for d and reports whether ctx has not ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// DeadLetter is a task that will not run again unless an operator replays it. All of it may be
// shown to operators; Payload is sealed.
type DeadLetter struct {
	// TaskID is the task's ID, or a digest of an ID that this package did not create. The same task
	// may be buried twice.
	TaskID string
	// Tenant is the tenant's alias. Empty if the task names no valid one.
	Tenant string
	// Kind is the task's kind. Empty if it is malformed.
	Kind string
	// Lane is the lane from which the task was taken.
	Lane string
	// Code is why it died.
	Code Code
	// Attempts counts the attempts, including the last.
	Attempts int
	// EnqueuedAt is the time of the demand. Zero if the header is malformed.
	EnqueuedAt time.Time
	// DiedAt is when it died.
	DiedAt time.Time
	// Payload is the arguments, sealed. Empty if they are not sealed.
	Payload []byte
	// Headers are the task's headers, without those that other programs added.
	Headers map[string]string
}

func (a *attempt) buryDeadLetter(ctx context.Context, run *Run, code Code) error {
	d := DeadLetter{
		TaskID: a.shown.ID, Tenant: run.Tenant, Kind: run.Kind, Lane: a.d.Lane, Code: code, Attempts: run.Attempt,
		EnqueuedAt: run.EnqueuedAt, DiedAt: time.Now().UTC(), Payload: a.shown.Payload, Headers: run.Headers,
	}
	if a.bury != nil {
		if err := a.bury(ctx, d); err != nil {
			return err
		}
	}
	a.log.ErrorContext(ctx, "task is dead", "tenant", run.Tenant, "kind", run.Kind, "lane", a.d.Lane, "task", a.shown.ID,
		"code", code, "attempts", run.Attempt, "duration", time.Since(a.began))
	return nil
}
