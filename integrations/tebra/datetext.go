package tebra

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// The vendor writes times as 2/24/2026 11:00:00 AM in rows, and as ISO 8601 in typed members. Its
// platform can write others, depending on how a server or a stored procedure is configured. This
// file reads all of them:
//
//	2/24/2026 11:00:00 AM   with or without seconds, time and leading zeros; also am, a.m., a. m.
//	2/24/2026 14:00:00      24 hours
//	Feb 24 2026 11:00AM     the default of SQL Server
//	2026-02-24T11:00:00Z    ISO 8601, with or without zone, seconds and fraction; also with a space
//
// Spaces may be several, or the no-break spaces that newer versions of .NET write before AM and PM.
//
// A time of the first three forms without AM or PM shows 24 hours if its hour is 0 or at least 13.
// Other hours are ambiguous, even with a leading zero, which says how numbers are written and
// nothing about the half of the day. So are those of one digit after a date of ISO 8601, which
// prescribes two, and 24 hours.
// They count as hours of 24 if the row itself, or the rows of the list so far, contain a time that
// shows 24 hours and none with AM or PM. If they contain one with AM or PM, or if neither occurs in
// the whole list, the ambiguous time cannot be read.

// hours is how times without AM or PM are read.
type hours uint8

const (
	undecided  hours = iota
	twelve           // of 12 hours, so that half of the day is unknown
	twentyFour       // of 24 hours
)

// clock is what times have shown about how they are written.
type clock struct{ marked, full bool } // with AM or PM; with 24 hours

// add adds what other times have shown.
func (c *clock) add(other clock) {
	c.marked, c.full = c.marked || other.marked, c.full || other.full
}

// decide returns how ambiguous times are read.
func (c clock) decide() hours {
	switch {
	case c.marked:
		return twelve
	case c.full:
		return twentyFour
	}
	return undecided
}

// time returns a time of the record.
func (c *cell) time() time.Time { return c.moment().first }

// moment returns a time that may need another member of the row to be exact. An empty text and a
// year outside 1900 to 2199 are the zero moment: .NET writes the year 1 for "none" and 9999 for
// "never", and databases have minimum years of their own.
func (c *cell) moment() moment {
	w, ok := parseWritten(c.value)
	if !ok {
		c.fail()
		return moment{}
	}
	if w.hours == undecided && c.hours == undecided {
		c.later = append(c.later, laterSet{c.column, string(c.value)})
		return moment{}
	}
	c.clock.add(w.clock)
	if w.hours == undecided && c.hours == twelve {
		c.fail()
		return moment{}
	}
	if w.t.Year() < 1900 || w.t.Year() > 2199 {
		return moment{}
	}
	return c.reader.zones.moment(w.t, w.stated)
}

// start returns the start of an appointment, without which it has no place in the schedule.
func (c *cell) start() moment {
	m := c.moment()
	if c.failed {
		c.setAside(SetAsideDate)
	}
	return m
}

// date returns a date without a time of day, such as a date of birth, as 2006-01-02, or "" for
// none. The vendor adds a time of day that has no meaning; it is dropped and not converted between
// zones. Any year except 1 is accepted: data entry errors are left for the practice to correct.
func (c *cell) date() phi.Text {
	w, ok := parseWritten(c.value)
	switch {
	case !ok:
		c.fail()
		return ""
	case w.t.Year() == 1:
		return ""
	}
	return phi.Text(w.t.Format(time.DateOnly))
}
