package work

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
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
	waitJitter = 0.25
)

// vendorError turns the error of a vendor call into the outcome of the run. An outage, a timeout or
// throttling is not the task's failure and costs no attempt. Errors of other packages are returned
// unchanged: a refusal of the gate carries the time to come back, and a permanent error reports
// that it is permanent.
func vendorError(err error, demanded time.Time) error {
	var e *tebra.Error
	if !errors.As(err, &e) {
		return err
	}
	now, code := time.Now(), vendorCode(e.Code)
	coded := fmt.Errorf("%w: %w", code, err)
	switch e.Code {
	case tebra.Throttled:
		return tasks.Later(now.Add(jitter(max(2*e.Interval, throttled))), code)
	case tebra.Unavailable, tebra.Timeout:
		age := now.Sub(demanded)
		if age > giveUp {
			return tasks.Permanent(coded)
		}
		return tasks.Later(now.Add(jitter(min(max(age/2, firstWait), longWait))), code)
	case tebra.Canceled:
		return tasks.Later(now, codes.Canceled)
	}
	return coded
}

// vendorCodes maps the vendor client's codes to the project's. Success, and codes that only
// observers receive, have none.
var vendorCodes = map[tebra.Code]codes.Code{
	tebra.Throttled:       codes.VendorThrottled,
	tebra.Unauthenticated: codes.VendorUnauthenticated,
	tebra.Denied:          codes.VendorDenied,
	tebra.Invalid:         codes.VendorInvalid,
	tebra.NotFound:        codes.VendorNotFound,
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
