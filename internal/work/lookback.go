package work

import (
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/practice"
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
)

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
