package ledger

import (
	"strings"
	"time"
)

// Hours are a practice's opening hours by weekday, in its time zone: {"mon": "08:00-17:30"}. A
// missing day is closed; nil is closed all week. A range ends on the day it starts, at 24:00 at the
// latest.
type Hours map[string]string

// On returns the start and end of a weekday's hours as wall-clock time after midnight, and false
// when it is closed. On the day of a clock change, wall-clock time and elapsed time differ.
func (h Hours) On(day time.Weekday) (opens, closes time.Duration, open bool) {
	value, found := h[weekday(day)]
	if !found {
		return 0, 0, false
	}
	return parseHours(value)
}

func (h Hours) check() error {
	days := 0
	for day := time.Sunday; day <= time.Saturday; day++ {
		value, found := h[weekday(day)]
		if !found {
			continue
		}
		days++
		if _, _, ok := parseHours(value); !ok {
			return invalid("opening hours of %s are not like 08:00-17:30", weekday(day))
		}
	}
	if days != len(h) {
		return invalid("opening hours name a day that is not one of mon, tue, wed, thu, fri, sat, sun")
	}
	return nil
}

func weekday(day time.Weekday) string { return strings.ToLower(day.String()[:3]) }

func parseHours(value string) (opens, closes time.Duration, ok bool) {
	from, to, found := strings.Cut(value, "-")
	opens, okFrom := parseClock(from)
	closes, okTo := parseClock(to)
	if !found || !okFrom || !okTo || opens >= closes {
		return 0, 0, false
	}
	return opens, closes, true
}

// parseClock reads exactly HH:MM, from 00:00 to 24:00.
func parseClock(s string) (time.Duration, bool) {
	if s == "24:00" {
		return 24 * time.Hour, true
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, false
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, true
}
