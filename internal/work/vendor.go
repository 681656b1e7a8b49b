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

// How long a run waits for a vendor that does not answer: half of its own age, so that a hiccup is over in seconds and an
// outage of hours costs each task a dozen calls. A demand a day old is not worth one more: its data was due again long
// since.
const (
	firstWait  = 5 * time.Second
	longWait   = 10 * time.Minute
	giveUp     = 24 * time.Hour
	throttled  = 2 * time.Second
	waitJitter = 0.25
)

// vendorError turns the error of a vendor call into the outcome of the run. A vendor that is down, slow or throttling says
// nothing about the task, so these cost no attempt. The gate's refusals say themselves when to come back, and errors that
// are permanent say so too; both pass.
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

// vendorCodes is our code for each of the vendor client's. Those that only observers see, and success, have none.
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

// vendorCode returns our code for the vendor client's. A code that is new there means VendorUnknown until it has a row.
func vendorCode(c tebra.Code) codes.Code { return cmp.Or(vendorCodes[c], codes.VendorUnknown) }

// jitter lengthens d by up to a quarter, so that what failed together does not come back together. It never shortens it.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration(rand.Float64()*waitJitter*float64(d))
}
