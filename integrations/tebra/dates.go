package tebra

import (
	"strings"
	"time"
)

// The vendor writes the dates of string rows in the US form, and those of typed members in ISO 8601. Guides show a third,
// plain one. Everything that turns text into time or back is in this file.
//
// The time-zone rule. Row values carry no zone. Without TimeZoneOffsetFromGMT in the filter, which this client never
// sends (whole hours cannot say half of the world's zones, nor a change of daylight saving inside a range), they are the
// practice's wall clock. The caller therefore says in which *time.Location to read them. A value that names its zone
// is taken at its word. Reads that have no location (a patient, a provider) give the wall clock as if it were UTC.
// Wall times that do not exist (the gap in spring) move by the gap, forth or back, and those that exist twice mean one of
// the two.

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

// parseRowTime reads a date of a row. Absent, empty and the year one, which is .NET for "none", are the zero Time;
// ok is false for anything else that is no date of the years 1900 to 2199.
func parseRowTime(text string, loc *time.Location) (t time.Time, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range rowLayouts {
		t, err := time.ParseInLocation(layout, text, loc)
		if err != nil {
			continue
		}
		if t.Year() == 1 {
			return time.Time{}, true
		}
		if t.Year() < 1900 || t.Year() > 2199 {
			return time.Time{}, false
		}
		return t, true
	}
	return time.Time{}, false
}

// parseRowDate reads a date without a time of day, such as a day of birth, and returns it as 2006-01-02; "" for none.
// The time of day that the vendor adds to it says nothing and is dropped rather than moved between zones.
func parseRowDate(text string) (date string, ok bool) {
	t, ok := parseRowTime(text, time.UTC)
	if !ok || t.IsZero() {
		return "", ok
	}
	return t.Format(time.DateOnly), true
}

// startOfDay and endOfDay write the first and last second of the calendar day that t shows in its own location. The
// vendor's rule for a bare date as the upper bound is not known; a time of day leaves nothing to guess.
func startOfDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).Format(filterLayout)
}

func endOfDay(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 23, 59, 59, 0, time.UTC).Format(filterLayout)
}

// days counts the calendar days from the day of from to the day of to, both included; below 1 when they are reversed.
func days(from, to time.Time) int {
	a := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	b := time.Date(to.Year(), to.Month(), to.Day(), 0, 0, 0, 0, time.UTC)
	return int(b.Sub(a)/(24*time.Hour)) + 1
}

// rowDates reads the dates of one row and keeps the first complaint.
type rowDates struct {
	loc *time.Location
	err error
}

func (d *rowDates) time(text string) time.Time {
	t, ok := parseRowTime(text, d.loc)
	d.note(ok)
	return t
}

func (d *rowDates) date(text string) string {
	date, ok := parseRowDate(text)
	d.note(ok)
	return date
}

func (d *rowDates) note(ok bool) {
	if !ok && d.err == nil {
		d.err = shapeError("date")
	}
}

// truth reads the booleans of string rows, "True" and "False". Anything else is false, as an absent one is.
func truth(text string) bool {
	return strings.EqualFold(strings.TrimSpace(text), "true") || strings.TrimSpace(text) == "1"
}
