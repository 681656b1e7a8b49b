package work

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// Whether the vendor selects entries by start or by overlap is unknown, so a list of one day could
// lack an overnight visit or a block that began earlier. Every list is therefore requested with
// days before it. More rows in one call cost less than more calls.
const (
	// minLookback is how many days before a window are requested with it at least.
	minLookback = 7
	// maxLookback is how far back lists of a few days reach to confirm an entry that is known. One
	// that began earlier stays, and the nightly list confirms it.
	maxLookback = 14
	// few is how many days a list has at most that is read often. Longer ones are read at night.
	few = 7
	// farPause is how long after the failure of a far list the practice's lists are near ones.
	farPause = 30 * time.Minute
	// farList names far lists in pauses.
	farList = "far list"
)

// lookback is the function of that name, for a practice whose far lists may have failed recently:
// days would remain unread until the vendor can answer the longest list. Demanded ones stay far.
func (d Deps) lookback(ctx context.Context, s practiceScope, known practice.Known, days []civil.Date, demanded int) (back int, far bool, err error) {
	back, far = lookback(known, days, demanded)
	if !far || back <= minLookback || demanded > 0 {
		return back, far, nil
	}
	paused, err := d.Store.Paused(ctx, s.tenant, s.id, farList)
	if paused {
		back, far = lookback(known, days, minLookback)
	}
	return back, far, err
}

// mayBeTooLong reports whether a shorter list may succeed where one has failed in this way.
func mayBeTooLong(err error) bool {
	var e *tebra.Error
	return errors.As(err, &e) && e.Sent && (e.Code == tebra.Timeout || e.Code == tebra.Unavailable || e.Code == tebra.Malformed)
}

// shorten is the outcome of a run whose far list has failed: it is repeated as a near one, as soon
// as the vendor allows. The days remain near, so a far list is requested again after the pause.
func (d Deps) shorten(ctx context.Context, s practiceScope, err error) error {
	var e *tebra.Error
	if !errors.As(err, &e) {
		return err
	}
	if err := d.Store.Pause(context.WithoutCancel(ctx), s.tenant, s.id, farList, farPause); err != nil {
		return err
	}
	wait, code := d.atLeast(ctx, s.tenant, e, e.RetryAfter)
	return tasks.Later(time.Now().Add(wait), code)
}

// lookback returns how many days before some days are requested with them: as many as are demanded,
// or what follows from what is known if demanded is 0. far reports that these are as many as one
// call has room for, by the vendor's limits of days and, for the busiest of the days, of rows. So
// it is for more than a few days, and for days that were not read in that way yet. Where nothing is
// known, the first list shows how busy the days are.
func lookback(known practice.Known, days []civil.Date, demanded int) (back int, far bool) {
	op := policy("GetAppointments")
	n, busiest := len(days), known.Busiest()
	switch {
	case demanded > 0:
		far, back = demanded+n >= op.MaxDays, min(demanded, op.MaxDays-1)
	case len(known.Visits) == 0:
	case n > few || known.Near:
		far, back = true, op.MaxDays-n
	default:
		if began := known.Began(days[0].Add(-maxLookback)); !began.IsZero() {
			back = began.Days(days[0])
		}
	}
	if busiest > 0 {
		back = min(back, op.MaxRows/busiest-n)
	}
	return max(back, minLookback), far
}
