package practice

import (
	"errors"
	"time"
)

// ErrDate is returned for anything that is not a calendar day between the years 1900 and 2199.
var ErrDate = errors.New("practice: not a day in the form 2006-01-02")

// Date is a calendar day in the practice's own zone, in the form 2006-01-02. Dates compare as strings do. The zero value
// is no day.
type Date string

// ParseDate checks s.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2199 {
		return "", ErrDate
	}
	return Date(s), nil
}

// DateOf is the day on which t falls at the practice.
func DateOf(t time.Time, zone *time.Location) Date { return Date(t.In(zone).Format(time.DateOnly)) }

// Time is the first moment of the day at the practice. Where a time change skips midnight it is the first moment that
// exists. The zero Date gives the zero time.
func (d Date) Time(zone *time.Location) time.Time {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return time.Time{}
	}
	start := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone)
	if DateOf(start, zone) < d { // midnight was skipped, and time.Date reads it by the rule before
		_, start = start.ZoneBounds()
	}
	return start
}

// Add is the day n days later; n may be negative.
func (d Date) Add(n int) Date {
	return Date(d.Time(time.UTC).AddDate(0, 0, n).Format(time.DateOnly))
}

// Days lists the days from a to b, both included; none when b is before a.
func Days(a, b Date) []Date {
	var out []Date
	for d := a; d <= b && d != ""; d = d.Add(1) {
		out = append(out, d)
	}
	return out
}
