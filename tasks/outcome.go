package tasks

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// This file is the one home of outcomes: what an error means for its task.
// There are two clocks of retrying. Inside one vendor call, for what was not
// sent, the vendor client waits at most two seconds; everything longer is here.

const (
	// retryBase and retryCap bound the random wait after a plain error.
	retryBase = 2 * time.Second
	retryCap  = 10 * time.Minute
	// newerWait is how long a task of a newer version is left for a newer
	// worker.
	newerWait = 5 * time.Minute
	// buryWait is how long a task lives on that could not be buried.
	buryWait = 30 * time.Second
	// farLater bounds Later: no error may park a task for good.
	farLater = 7 * 24 * time.Hour
	// handlerGrace is how much longer than its Timeout a handler may take to notice
	// before asynq gives up on it.
	handlerGrace = 10 * time.Second
)

// Outcome is how one attempt ended.
type Outcome struct {
	// State is "done", "retry" (a failure that counts), "later" (none) or
	// "dead".
	State string
	// Code says why. Empty after plain success.
	Code Code
	// NextAt is when the task runs again after retry and later, on a whole
	// second.
	NextAt time.Time
}

// States of an Outcome.
const (
	OutcomeDone  = "done"
	OutcomeRetry = "retry"
	OutcomeLater = "later"
	OutcomeDead  = "dead"
)

// OutcomeOf reads what Router.ProcessTask and Router.Deliver returned.
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

// decision is the error that asynq gets. Its text, which asynq stores, is the
// code.
type decision struct{ Outcome }

// Error returns the code.
func (d *decision) Error() string { return string(d.Code) }

// Unwrap makes a dead letter one that asynq archives.
func (d *decision) Unwrap() error {
	if d.State == OutcomeDead {
		return asynq.SkipRetry
	}
	return nil
}

func dead(code Code) *decision { return &decision{Outcome{State: OutcomeDead, Code: code}} }

func later(at time.Time, code Code) *decision {
	if limit := time.Now().Add(farLater); at.After(limit) {
		at = limit
	}
	if now := time.Now(); at.Before(now) {
		at = now
	}
	return &decision{Outcome{State: OutcomeLater, Code: code, NextAt: ceilSecond(at)}}
}

// classify says what an error of a worker means. Nil is done.
func classify(ctx context.Context, err error, failed, maxAttempts int) *decision {
	var s *signal
	var notBefore interface {
		NotBefore() (time.Time, string)
	}
	var permanent interface{ Permanent() bool }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &s) && s.permanent:
		return dead(cmp.Or(codes.Of(s.err), codes.Permanent))
	case s != nil:
		return later(s.at, reasonOf(s.reason))
	case errors.Is(context.Cause(ctx), queue.ErrDraining):
		return later(time.Now(), codes.Draining)
	case errors.As(err, &notBefore):
		at, reason := notBefore.NotBefore()
		return later(at, reasonOf(Code(reason)))
	case errors.As(err, &permanent) && permanent.Permanent():
		return dead(cmp.Or(codes.Of(err), codes.Permanent))
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
	return &decision{Outcome{State: OutcomeRetry, Code: code, NextAt: ceilSecond(time.Now().Add(retryDelay(failed)))}}
}

// errTimeout is the cause of a context that Options.Timeout ended.
var errTimeout = errors.New("attempt exceeded its timeout")

// retryDelay is the wait after a failure that others came before: anything up
// to 2 s doubled for each, so that what failed together does not come back
// together.
func retryDelay(failed int) time.Duration {
	return rand.N(min(retryCap, retryBase<<min(failed, 16)))
}

// RetryDelay is asynq's RetryDelayFunc: the wait the outcome names.
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

// IsFailure is asynq's: only a retry counts as an attempt. A crash of the
// worker, its shutdown and a cancellation say nothing about the task.
func (r *Router) IsFailure(err error) bool {
	if d, ok := errors.AsType[*decision](err); ok {
		return d.State == OutcomeRetry
	}
	return !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, queue.ErrDraining) && !errors.Is(err, context.Canceled)
}

// reasonOf returns the reason for a Later if it is a valid code, and codes.Later otherwise.
func reasonOf(c Code) Code {
	if c.Valid() {
		return c
	}
	return codes.Later
}

// ceilSecond rounds up, since asynq's times are whole seconds and cut.
func ceilSecond(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); !cut.Equal(t) {
		return cut.Add(time.Second)
	}
	return t
}
