package plan

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/workflow-bolt/rounds/internal/ledger"
)

// due returns the schedule's tick that has become due after decided and by now, or the zero Time.
// now is in the practice's zone.
func (r rule) due(hours ledger.Hours, decided, now time.Time) time.Time {
	if decided.IsZero() {
		// A practice that was never planned for gets everything once, open or not, so that its
		// board is not empty until the practice opens.
		return now.Truncate(time.Minute)
	}
	return latestTick(r.cron, func(at time.Time) bool { return !r.Open || IsOpen(hours, at) }, decided, now)
}

// IsOpen reports whether the practice is open at t, which is in the practice's zone. A practice
// without hours is always open, so that it is never left without data.
func IsOpen(h ledger.Hours, t time.Time) bool {
	if len(h) == 0 {
		return true
	}
	opens, closes, open := h.On(t.Weekday())
	wall := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	return open && wall >= opens && wall < closes
}

const (
	// shortGap is how far back a cycle searches first. In a week of minutes are 10,080 steps.
	shortGap = 7 * 24 * time.Hour
	// longGap is how far back it searches if there is none: a monthly tick is found.
	longGap = 5 * shortGap
)

// latestTick returns the last instant after last, up to and including now, at which the schedule
// fires in now's zone; the zero Time if there is none within longGap.
func latestTick(s cron.Schedule, open func(time.Time) bool, last, now time.Time) time.Time {
	end := now
	for _, gap := range []time.Duration{shortGap, longGap} {
		begin := now.Add(-gap)
		if begin.Before(last) {
			begin = last
		}
		if at := latestBetween(s, open, begin, end); !at.IsZero() {
			return at
		}
		end = begin
	}
	return time.Time{}
}

// latestBetween returns the last instant after begin, up to and including end, at which the
// schedule fires in end's zone.
func latestBetween(s cron.Schedule, open func(time.Time) bool, begin, end time.Time) time.Time {
	var latest time.Time
	for t := s.Next(begin.In(end.Location())); !t.IsZero() && !t.After(end); t = s.Next(t) {
		if open(t) {
			latest = t
		}
	}
	return latest
}
