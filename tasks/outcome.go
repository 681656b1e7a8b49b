package tasks

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// This file decides what an error means for its task. Retries happen in two places. The vendor
// client repeats a call that was not sent, for at most two seconds; every longer wait is decided
// here.

const (
	// retryBase and retryCap limit the random wait after a plain error.
	retryBase = 2 * time.Second
	retryCap  = 10 * time.Minute
	// buryWait is how long a task waits after its dead letter could not be buried.
	buryWait = 30 * time.Second
	// outageBase and outageSpread are the wait after one of our own stores was unavailable. It is
	// short: the worker takes no task again before the store is back.
	outageBase   = time.Second
	outageSpread = time.Second
	// slowTime is how old a task may be for a store's time limit to postpone it. Later, it counts
	// as a failure, so that no task for which a store is always too slow runs forever.
	slowTime = 24 * time.Hour
	// farLater limits Later, so that no error postpones a task forever.
	farLater = 7 * 24 * time.Hour
	// handlerGrace is how long a handler may take to return after its Timeout before asynq abandons
	// it.
	handlerGrace = 10 * time.Second
)

// Outcome is how one attempt ended.
type Outcome struct {
	// State is one of the constants.
	State string
	// Code is the reason. Empty after success.
	Code Code
	// NextAt is when the task, or an equal one in its stead, runs again, on a whole second. Zero
	// when it is done, dead or expired.
	NextAt time.Time
}

// The states of an Outcome.
const (
	OutcomeDone  = "done"
	OutcomeRetry = "retry" // it failed and runs again; the attempt counts
	OutcomeLater = "later" // it was postponed and runs again; the attempt does not count
	OutcomeDead  = "dead"  // it is a dead letter
	// OutcomeExpired: its work was not needed any more, and was not done.
	OutcomeExpired = "expired"
)

// OutcomeOf returns the outcome for an error of Router.ProcessTask, Router.Deliver or a Next. Nil
// is OutcomeDone. NextAt is zero for an error that does not come from the router.
func OutcomeOf(err error) Outcome {
	var d *decision
	switch {
	case err == nil:
		return Outcome{State: OutcomeDone}
	case errors.As(err, &d):
		return d.Outcome
	case errors.Is(err, queue.ErrDraining):
		return Outcome{State: OutcomeLater, Code: codes.Draining, NextAt: ceilSecond(time.Now())}
	}
	return Outcome{State: OutcomeRetry, Code: CodeOf(err)}
}

// decision is an outcome other than plain success, as the error that asynq receives. asynq stores
// its text, which is the code.
type decision struct {
	Outcome
	exact      time.Time // NextAt, not rounded; zero if nothing depends on it
	superseded bool      // an equal task waits in its stead
}

// Error returns the code.
func (d *decision) Error() string { return string(d.Code) }

// Unwrap makes asynq archive the task of a dead letter, and drop one that has expired or that
// another supersedes.
func (d *decision) Unwrap() error {
	switch {
	case d.State == OutcomeDead:
		return asynq.SkipRetry
	case d.superseded, d.State == OutcomeExpired:
		return asynq.RevokeTask
	}
	return nil
}

func dead(code Code) *decision { return &decision{Outcome: Outcome{State: OutcomeDead, Code: code}} }

func later(at time.Time, code Code) *decision {
	if limit := time.Now().Add(farLater); at.After(limit) {
		at = limit
	}
	if now := time.Now(); at.Before(now) {
		at = now
	}
	return &decision{Outcome: Outcome{State: OutcomeLater, Code: code, NextAt: ceilSecond(at)}}
}

// classify decides what a worker's error means. Failed is the number of failures before this
// attempt, age the time since the task was demanded. It returns nil if the task is done.
func classify(ctx context.Context, err error, failed, maxAttempts int, age time.Duration) *decision {
	var s *signal
	var notBefore interface {
		NotBefore() (time.Time, string)
	}
	var permanent interface{ Permanent() bool }
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), queue.ErrCanceled):
		return dead(codes.CanceledByOperator)
	case errors.As(err, &s) && s.permanent:
		return dead(cmp.Or(codes.Of(s.err), codes.Permanent))
	case s != nil && s.expired:
		return &decision{Outcome: Outcome{State: OutcomeExpired, Code: reasonOr(s.reason, codes.Expired)}}
	case s != nil:
		return later(s.at, reasonOf(s.reason))
	case errors.Is(context.Cause(ctx), queue.ErrDraining):
		return later(time.Now(), codes.Draining)
	case errors.Is(context.Cause(ctx), queue.ErrLeaseLost):
		return later(time.Now(), codes.LeaseExpired)
	case errors.As(err, &notBefore):
		at, reason := notBefore.NotBefore()
		d := later(at, reasonOf(Code(reason)))
		d.exact = at // places in the vendor's budget are less than a second apart
		return d
	case errors.As(err, &permanent) && permanent.Permanent():
		return dead(cmp.Or(codes.Of(err), codes.Permanent))
	case isOutage(ctx, err, age):
		return postponed(outage.Of(err))
	case errors.Is(context.Cause(ctx), context.Canceled):
		return later(time.Now().Add(time.Second), codes.Canceled)
	}
	code := CodeOf(err)
	if errors.Is(context.Cause(ctx), errTimeout) {
		code = codes.Timeout
	}
	if failed+1 >= maxAttempts {
		return dead(code)
	}
	return retry(err, code, time.Now().Add(retryDelay(failed)))
}

// retry counts a failure and lets the task run again at a time, or later if the error says so.
func retry(err error, code Code, at time.Time) *decision {
	var delayed interface {
		RetryNotBefore() (time.Time, string)
	}
	if errors.As(err, &delayed) {
		if t, reason := delayed.RetryNotBefore(); t.After(at) {
			d := later(t, reasonOf(Code(reason)))
			d.State = OutcomeRetry
			return d
		}
	}
	return &decision{Outcome: Outcome{State: OutcomeRetry, Code: code, NextAt: ceilSecond(at)}}
}

// isOutage reports whether an attempt failed because one of our own stores is unavailable. A store
// that did not answer before the attempt's own time was over may not be the reason why it was. One
// that has been too slow for a task for a day is too slow for this task alone: while a store is
// unavailable, workers take none.
func isOutage(ctx context.Context, err error, age time.Duration) bool {
	o := outage.Of(err)
	return o != nil && !(o.Slow && (age >= slowTime || errors.Is(context.Cause(ctx), errTimeout)))
}

// postponed postpones a task because a store is unavailable.
func postponed(o *outage.Error) *decision {
	return later(time.Now().Add(outageBase+rand.N(outageSpread)), o.Code())
}

// postponedOr is postponed if err is an outage, and otherwise postpones the task for that long with
// that code.
func postponedOr(err error, wait time.Duration, code Code) *decision {
	if o := outage.Of(err); o != nil {
		return postponed(o)
	}
	return later(time.Now().Add(wait), code)
}

// errTimeout is the cause of a context that ended after Options.Timeout.
var errTimeout = errors.New("attempt exceeded its timeout")

// retryDelay returns the wait after a failure that others preceded: a random time up to 2 s doubled
// for each of them, so that tasks that failed together do not run again together.
func retryDelay(failed int) time.Duration {
	return rand.N(min(retryCap, retryBase<<min(failed, 16)))
}

// RetryDelay is the function that asynq asks how long a task waits after an error: until the
// outcome's NextAt.
func (r *Router) RetryDelay(retried int, err error, _ *asynq.Task) time.Duration {
	var d *decision
	switch {
	case errors.As(err, &d):
		return max(0, time.Until(d.NextAt))
	case errors.Is(err, asynq.ErrLeaseExpired), errors.Is(err, queue.ErrDraining):
		return 0
	case errors.Is(err, context.Canceled):
		return time.Second
	}
	return retryDelay(retried)
}

// IsFailure is the function that asynq asks whether an error counts as an attempt. Only
// OutcomeRetry does. A worker's crash, its shutdown and a cancellation are not failures of the
// task.
func (r *Router) IsFailure(err error) bool {
	if d, ok := errors.AsType[*decision](err); ok {
		return d.State == OutcomeRetry
	}
	return !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, queue.ErrDraining) && !errors.Is(err, context.Canceled)
}

// reasonOf returns c if it is valid, and codes.Later otherwise.
func reasonOf(c Code) Code { return reasonOr(c, codes.Later) }

// reasonOr returns c if it is valid, and otherwise the other code.
func reasonOr(c, otherwise Code) Code {
	if c.Valid() {
		return c
	}
	return otherwise
}

// ceilSecond rounds up to a whole second, because asynq truncates times to seconds.
func ceilSecond(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); !cut.Equal(t) {
		return cut.Add(time.Second)
	}
	return t
}
