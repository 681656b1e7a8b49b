package tebra

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// The vendor's rows say what a clock shows, and the clocks of most zones skip an hour in spring and
// show one twice in autumn. This file contains the rules for both.
//
// A time that the clocks skip moves forward by what they skip, as in RFC 5545 (section 3.3.5): 2:30
// is 3:30. Its row stays on the day that the vendor wrote, even if that moves it past midnight,
// because the vendor lists it under that day only. A time that the clocks show twice is the first
// of the two, unless the appointment's length fits only the second.
//
// An appointment of less than a day lasts as long as AppointmentDuration says. The end as written
// counts where the vendor gives no duration, for whole days, which last 23 to 25 hours, and where
// it is a day or more after what the duration says, which is then that of each day.

// clockRange is larger than the offset from UTC of every zone.
const clockRange = 16 * time.Hour

// instants returns when the clocks of zone show wall, which is expressed in UTC. If they show it
// once, early and late are the same. If they skip it, neither of the two is exact: early is before
// it by what they skip, and late is after it.
func instants(wall time.Time, zone *time.Location) (early, late time.Time, skipped bool) {
	before, after := wall.Add(-clockRange).In(zone), wall.Add(clockRange).In(zone)
	first, second := wall.Add(-offsetAt(before)).In(zone), wall.Add(-offsetAt(after)).In(zone)
	inFirst, inSecond := offsetAt(first) == offsetAt(before), offsetAt(second) == offsetAt(after)
	switch {
	case inFirst && inSecond:
		return first, second, false
	case inFirst:
		return first, first, false
	case inSecond:
		return second, second, false
	}
	return second, first, true
}

// offsetAt returns how far the clocks of t's zone are ahead of UTC at t.
func offsetAt(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// onClock returns what the clock of t's zone shows, expressed in UTC.
func onClock(t time.Time) time.Time { return t.UTC().Add(offsetAt(t)) }

// moment is a time of a row. The zero value stands for a missing one.
type moment struct {
	wall          time.Time // what the clock at the practice shows, expressed in UTC
	first, second time.Time // the instants that this may mean; mostly the same
	moved         bool      // the clocks skip wall, and first is after it
}

// moment returns the time of a row whose text says t, expressed in UTC. stated means that the text
// has its zone, so that t is exact.
func (z zonePair) moment(t time.Time, stated bool) moment {
	if stated || z.wire == time.UTC {
		t = t.In(z.local)
		return moment{wall: onClock(t), first: t, second: t}
	}
	early, late, skipped := instants(t, z.wire)
	if skipped {
		early = late
	}
	return moment{wall: t, first: early.In(z.local), second: late.In(z.local), moved: skipped}
}

func (m moment) isZero() bool { return m.first.IsZero() }

// day returns the calendar day under which the vendor lists the moment, as midnight UTC.
func (m moment) day() time.Time {
	if m.isZero() {
		return time.Time{}
	}
	return day(m.wall)
}

// wholeDay is the length from which on an appointment ends at a time of day, and not after a number
// of hours.
const wholeDay = 24 * time.Hour

// span is when an appointment takes place, according to its row.
type span struct {
	zone       *time.Location // the practice's
	start, end moment
	length     time.Duration // 0 if the vendor gives none
	allDay     bool
}

// resolve returns the start and the end of the appointment. The end is not before the start. Either
// is the zero Time if the row has none.
func (s span) resolve() (start, end time.Time) {
	start = s.start.first
	written := s.end.wall.Sub(s.start.wall)
	switch {
	case s.start.isZero():
		return start, s.end.first
	case s.end.isZero() && s.length == 0:
		return start, time.Time{}
	case s.end.isZero() && s.length >= wholeDay:
		_, end, _ = instants(s.start.wall.Add(s.length), s.zone)
		return start, end
	case s.end.isZero():
		return start, start.Add(s.length)
	case s.allDay, s.length >= wholeDay, written-s.length >= wholeDay:
		return start, latest(start, s.end.first)
	case s.start.moved:
		return start, latest(start, start.Add(cmp.Or(s.length, written)))
	}
	for _, start := range []time.Time{s.start.first, s.start.second} {
		for _, end := range []time.Time{s.end.first, s.end.second} {
			if end.Sub(start) == cmp.Or(s.length, written) && !end.Before(start) {
				return start, end
			}
		}
	}
	switch {
	case s.length > 0:
		return start, start.Add(s.length)
	case s.end.first.Before(start):
		return start, latest(start, s.end.second)
	}
	return start, s.end.first
}

func latest(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

// maxMinutes bounds the length of an appointment.
const maxMinutes = 366 * 24 * 60

// minutes reads a length in whole minutes. It is 0 if the vendor gives none.
func (c *cell) minutes() time.Duration {
	text := strings.TrimSpace(string(c.value))
	n, err := strconv.ParseInt(text, 10, 32)
	if n < 0 || n > maxMinutes || err != nil {
		if text != "" {
			c.fail()
		}
		return 0
	}
	return time.Duration(n) * time.Minute
}
