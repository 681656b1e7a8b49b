package work

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// How long a run waits for a vendor that does not answer: half of its task's age, so that a short
// outage costs seconds and one of hours costs each task a dozen calls. A task that is a day old is
// given up: later demands have asked for its data.
const (
	firstWait  = 5 * time.Second
	longWait   = 10 * time.Minute
	giveUp     = 24 * time.Hour
	throttled  = 2 * time.Second
	missedTurn = 2 * time.Second // before a call whose grants were too late asks for another one
	locked     = 5 * time.Minute // before a login that the vendor has locked is tried again
	waitJitter = 0.25
)

// vendorError turns the error of a vendor call into the outcome of the run. An outage, a timeout,
// throttling or a locked login is not the task's failure and costs no attempt, unless the vendor
// answers others of the same operation: then the record is what it cannot answer. A run does not
// come back before the vendor's response and the retry budget allow it. Errors of other packages
// are returned unchanged: a refusal of the gate carries the time to come back, and a permanent
// error reports that it is permanent.
func (d Deps) vendorError(ctx context.Context, t tenant.ID, err error, demanded time.Time) error {
	var e *tebra.Error
	if !errors.As(err, &e) {
		return err
	}
	now, code := time.Now(), vendorCode(e.Code)
	coded := fmt.Errorf("%w: %w", code, err)
	if e.Late() {
		return tasks.Later(now.Add(jitter(missedTurn)), codes.Pace)
	}
	switch e.Code {
	case tebra.Throttled:
		return tasks.Later(now.Add(jitter(max(2*e.Interval, throttled, e.RetryAfter))), code)
	case tebra.Locked, tebra.Unavailable, tebra.Timeout:
		if e.Code != tebra.Locked && d.OfRecord(t, e.Operation, e.Fingerprint) {
			return d.delay(ctx, t, e, coded)
		}
		age := now.Sub(demanded)
		if age > giveUp {
			return tasks.Permanent(coded)
		}
		wait := max(min(max(age/2, firstWait), longWait), e.RetryAfter)
		if e.Code == tebra.Locked {
			wait = max(wait, locked)
		} else {
			wait, code = d.atLeast(ctx, t, e, wait)
		}
		return tasks.Later(now.Add(jitter(wait)), code)
	case tebra.Canceled:
		return tasks.Later(now, codes.Canceled)
	}
	if e.Permanent() {
		return coded
	}
	return d.delay(ctx, t, e, coded)
}

// atLeast returns how long the retry of a call that failed waits: so long, or until the retry
// budget of its operation allows it. The code is that of what takes longer. A call that the vendor
// has not seen takes nothing from the budget.
func (d Deps) atLeast(ctx context.Context, t tenant.ID, e *tebra.Error, wait time.Duration) (time.Duration, codes.Code) {
	if !e.Sent {
		return wait, vendorCode(e.Code)
	}
	if least := d.Retry(ctx, t, e.Operation); least > wait {
		return least, codes.RetryBudget
	}
	return wait, vendorCode(e.Code)
}

// delayed is a failure whose task runs again no earlier than the vendor's response and the retry
// budget allow.
type delayed struct {
	error
	until time.Time
	code  codes.Code // of what allows it last
}

// delay returns the failure of a call as one that waits for its retry.
func (d Deps) delay(ctx context.Context, t tenant.ID, e *tebra.Error, coded error) delayed {
	wait, code := d.atLeast(ctx, t, e, e.RetryAfter)
	return delayed{coded, time.Now().Add(wait), code}
}

// Unwrap returns the failure.
func (d delayed) Unwrap() error { return d.error }

// RetryNotBefore returns when the task may run again, and why; see package tasks.
func (d delayed) RetryNotBefore() (time.Time, string) { return d.until, string(d.code) }

// vendorCodes maps the vendor client's codes to the project's. Success, and codes that only
// observers receive, have none.
var vendorCodes = map[tebra.Code]codes.Code{
	tebra.Throttled:       codes.VendorThrottled,
	tebra.Unauthenticated: codes.VendorUnauthenticated,
	tebra.Locked:          codes.VendorLocked,
	tebra.Denied:          codes.VendorDenied,
	tebra.Invalid:         codes.VendorInvalid,
	tebra.NotFound:        codes.VendorNotFound,
	tebra.Merged:          codes.VendorMerged,
	tebra.Conflict:        codes.VendorConflict,
	tebra.Unavailable:     codes.VendorUnavailable,
	tebra.Timeout:         codes.VendorTimeout,
	tebra.Canceled:        codes.VendorCanceled,
	tebra.Malformed:       codes.VendorMalformed,
	tebra.Unknown:         codes.VendorUnknown,
}

// vendorCode maps one code. A code without a row is VendorUnknown.
func vendorCode(c tebra.Code) codes.Code { return cmp.Or(vendorCodes[c], codes.VendorUnknown) }

// jitter lengthens d by up to a quarter, so that tasks that failed together do not come back
// together. It never shortens d.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*waitJitter*float64(d))
}
