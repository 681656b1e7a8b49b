package tebra

import (
	"strings"
	"time"
)

// The vendor writes the dates of string rows in the US form, and those of typed members in ISO 8601. Guides show a third,
// plain one. Everything that turns text into time or back is in this file.
//
// The time-zone rule. Row values carry no zone, and integrators contradict each other about which one is meant. Without
// TimeZoneOffsetFromGMT in the filter they are taken for the practice's wall clock; with it, for the clock at that offset.
// Which of the two this client relies on is Options.Zones. The caller says in either case which *time.Location is the
// practice's, and times are returned in it. A value that names its zone is taken at its word. Those of single appointments
// do so in the guide, in UTC, as this client writes them; where they do not, Options.TypedWall is the switch. Reads that have
// no location (a patient, a provider) give the wall clock as if it were UTC; no offset exists for them either.
// Wall times that do not exist (the gap in spring) move by the gap, forth or back, and those that exist twice mean one of
// the two; with Greenwich there are no such times.

// Zones says how the vendor is made to write the times of a schedule.
type Zones uint8

// The two ways. What the vendor does with an offset is known from other integrators' code only, so the zero Zones does
// without one; an offset in whole hours of the practice itself would miss half of the world's zones and every change of
// daylight saving inside a range, so the other one is the offset 0.
const (
	PracticeWall Zones = iota // no offset is sent, and rows are read as the practice's wall clock
	Greenwich                 // the offset 0 is sent, and rows are read as UTC
)

// clock is how the times of one answer are read and returned.
type zonePair struct{ wire, local *time.Location }

// clock is the rule for a practice in zone.
func (z Zones) pair(zone *time.Location) zonePair {
	if z == Greenwich {
		return zonePair{wire: time.UTC, local: zone}
	}
	return zonePair{wire: zone, local: zone}
}

// typedClock is the rule for the members of single appointments, for which no offset can be asked.
func (o *Options) typedPair(zone *time.Location) zonePair {
	if o.TypedWall {
		return zonePair{wire: zone, local: zone}
	}
	return zonePair{wire: time.UTC, local: zone}
}

// rowLayouts are the forms seen in answers. Go's "1", "2" and "3" also accept two digits.
var rowLayouts = []string{
	"1/2/2006 3:04:05 PM",
	"1/2/2006 3:04 PM",
	"1/2/2006",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05",
	"2006-01-02",
}

// filterLayout is how this client writes a moment into a filter.
const filterLayout = "1/2/2006 3:04:05 PM"

// parseRowTime reads a moment of a row. Absent, empty and a year outside of 1900 to 2199 are the zero Time: .NET writes the
// year one for "none" and 9999 for "never", databases have first years of their own, and what else lies there is a slip in
// one record, for which a list of thousands must not become unreadable. ok is false for what is no date at all.
func parseRowTime(text string, loc *time.Location) (t time.Time, ok bool) {
	t, ok = parseAnyTime(text, loc)
	if t.Year() < 1900 || t.Year() > 2199 {
		t = time.Time{}
	}
	return t, ok
}

// parseAnyTime reads a date of any year.
func parseAnyTime(text string, loc *time.Location) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range rowLayouts {
		t, err := time.ParseInLocation(layout, text, loc)
		switch {
		case err != nil:
			continue
		case t.Year() == 1:
			return time.Time{}, true
		}
		return t, true
	}
	return time.Time{}, false
}

// parseRowDate reads a date without a time of day, such as a day of birth, and returns it as 2006-01-02; "" for none.
// The time of day that the vendor adds to it says nothing and is dropped rather than moved between zones. Any year will do
// but the first: what somebody typed is theirs to correct.
func parseRowDate(text string) (date string, ok bool) {
	t, ok := parseAnyTime(text, time.UTC)
	if !ok || t.IsZero() {
		return "", ok
	}
	return t.Format(time.DateOnly), true
}

// startOfDay and endOfDay write the first and last second of the calendar day that t shows in its own location. The
// vendor's rule for a bare date as the upper bound is not known; a time of day leaves nothing to guess.
func (z zonePair) startOfDay(t time.Time) string { return z.format(t, 0, 0, 0) }

func (z zonePair) endOfDay(t time.Time) string { return z.format(t, 23, 59, 59) }

func (z zonePair) format(t time.Time, hour, minute, second int) string {
	if t.IsZero() {
		return ""
	}
	at := func(zone *time.Location) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), hour, minute, second, 0, zone)
	}
	if z.wire == z.local { // no zone has to be known to write a wall clock, and UTC misses no midnight
		return at(time.UTC).Format(filterLayout)
	}
	return at(z.local).In(z.wire).Format(filterLayout)
}

// utcClock is for reads whose filter knows no offset and whose caller names no practice's zone.
var utcPair = zonePair{wire: time.UTC, local: time.UTC}

// typedTime writes an xs:dateTime. A US form faults the vendor's deserializer.
func typedTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// typedDate writes the xs:dateTime of a calendar day, and nothing for anything else than 2006-01-02.
func typedDate(date string) (string, bool) {
	t, err := time.Parse(time.DateOnly, date)
	return t.Format("2006-01-02T15:04:05"), err == nil && t.Year() >= 1900 && t.Year() <= 2199
}

// days counts the calendar days from the day of from to the day of to, both included; below 1 when they are reversed.
func days(from, to time.Time) int {
	return int(day(to).Sub(day(from))/(24*time.Hour)) + 1
}

// day is the calendar day that t shows in its own location, as a midnight in UTC.
func day(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
