package tebra

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// written is a date as a text states it.
type written struct {
	t      time.Time // in UTC if the text states no zone; in the year 1 if the text is empty
	stated bool      // the text states its zone
	hours  hours     // undecided if AM or PM may be missing
	clock  clock     // what the text shows about others
}

// parseWritten reads a date in one of the forms above. ok is false for any other text, and for a
// day that does not exist.
func parseWritten(text []byte) (w written, ok bool) {
	p := dateParser{rest: bytes.TrimSpace(plainSpaces(text))}
	w.hours = twentyFour
	if len(p.rest) == 0 {
		return w, true
	}
	year, month, day, ok := p.date()
	if !ok || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return written{}, false
	}
	zone, c := time.UTC, clockTime{}
	if len(p.rest) > 0 {
		if c, ok = p.timeOfDay(); !ok {
			return written{}, false
		}
		if zone, ok = p.suffix(&c, &w); !ok {
			return written{}, false
		}
	}
	w.t = time.Date(year, time.Month(month), day, c.hour, c.minute, c.second, c.nanosecond, zone)
	return w, true
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// plainSpaces replaces the spaces that are not ASCII.
func plainSpaces(text []byte) []byte {
	for _, b := range text {
		if b >= utf8.RuneSelf {
			return []byte(spaces.Replace(string(text)))
		}
	}
	return text
}

var spaces = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2007", " ", "\u2009", " ")

// dateParser reads a date from the beginning of rest.
type dateParser struct {
	rest []byte
	iso  bool // the date has the form of ISO 8601
}

// number reads a number of low to high digits.
func (p *dateParser) number(low, high int) (n, digits int, ok bool) {
	for digits < min(high, len(p.rest)) && p.rest[digits] >= '0' && p.rest[digits] <= '9' {
		n = n*10 + int(p.rest[digits]-'0')
		digits++
	}
	p.rest = p.rest[digits:]
	return n, digits, digits >= low
}

// next consumes the next byte if it is one of those in set.
func (p *dateParser) next(set string) bool {
	if len(p.rest) == 0 || strings.IndexByte(set, p.rest[0]) < 0 {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// space consumes white space and reports whether there was any.
func (p *dateParser) space() bool {
	before := len(p.rest)
	p.rest = bytes.TrimLeft(p.rest, xmlSpace)
	return len(p.rest) < before
}

// date reads the date alone.
func (p *dateParser) date() (year, month, day int, ok bool) {
	if b := p.rest[0]; b < '0' || b > '9' {
		return p.namedDate()
	}
	first, digits, ok := p.number(1, 4)
	switch {
	case ok && digits == 4 && p.next("-"):
		p.iso = true
		return first, p.pair('-'), p.pair(0), true
	case ok && digits <= 2 && p.next("/"):
		day, _, ok = p.number(1, 2)
		if !ok || !p.next("/") {
			return 0, 0, 0, false
		}
		year, _, ok = p.number(4, 4)
		return year, first, day, ok
	}
	return 0, 0, 0, false
}

// pair reads two digits and the byte after them, if there has to be one. It returns 0 if they are
// missing.
func (p *dateParser) pair(after byte) int {
	n, _, ok := p.number(2, 2)
	if !ok || after != 0 && !p.next(string(after)) {
		return 0
	}
	return n
}

// namedDate reads a date like Feb 24 2026.
func (p *dateParser) namedDate() (year, month, day int, ok bool) {
	word := p.rest[:len(p.rest)-len(bytes.TrimLeftFunc(p.rest, isAlpha))]
	for i := range time.December {
		if name := (i + 1).String(); len(word) >= 3 && (len(word) == 3 || len(word) == len(name)) && strings.EqualFold(name[:len(word)], string(word)) {
			month = int(i + 1)
		}
	}
	p.rest = p.rest[len(word):]
	if month == 0 || !p.space() {
		return 0, 0, 0, false
	}
	if day, _, ok = p.number(1, 2); !ok {
		return 0, 0, 0, false
	}
	if comma := p.next(","); !p.space() && !comma {
		return 0, 0, 0, false
	}
	year, _, ok = p.number(4, 4)
	return year, month, day, ok
}

func isAlpha(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }

// clockTime is a time of day.
type clockTime struct {
	hour, minute, second, nanosecond int

	digits int // of the hour
}

// timeOfDay reads the time after a date, without what follows it.
func (p *dateParser) timeOfDay() (c clockTime, ok bool) {
	if !p.space() && !(p.iso && p.next("Tt")) || len(p.rest) == 0 {
		return c, false
	}
	if c.hour, c.digits, ok = p.number(1, 2); !ok || c.hour > 23 || !p.next(":") {
		return c, false
	}
	if c.minute, _, ok = p.number(2, 2); !ok || c.minute > 59 {
		return c, false
	}
	if !p.next(":") {
		return c, true
	}
	if c.second, _, ok = p.number(2, 2); !ok || c.second > 59 {
		return c, false
	}
	if p.next(".,:") { // SQL Server writes a colon before milliseconds
		c.nanosecond, ok = p.fraction()
	}
	return c, ok
}

// fraction reads the fraction of a second.
func (p *dateParser) fraction() (nanosecond int, ok bool) {
	digits := p.rest[:len(p.rest)-len(bytes.TrimLeft(p.rest, "0123456789"))]
	p.rest = p.rest[len(digits):]
	for i := range 9 {
		nanosecond *= 10
		if i < len(digits) {
			nanosecond += int(digits[i] - '0')
		}
	}
	return nanosecond, len(digits) > 0
}

// suffix reads AM, PM or a zone, and notes what the time shows about its hours.
func (p *dateParser) suffix(c *clockTime, w *written) (zone *time.Location, ok bool) {
	p.space()
	zone = time.UTC
	switch {
	case p.iso && len(p.rest) > 0 && strings.IndexByte("Zz+-", p.rest[0]) >= 0:
		w.stated = true
		zone, ok = p.zone()
		return zone, ok && c.digits == 2
	case len(p.rest) > 0:
		w.clock.marked = !p.iso
		return zone, c.mark(p.rest)
	case p.iso && c.digits == 2:
	case c.hour == 0 || c.hour > 12:
		w.clock.full = !p.iso
	default:
		w.hours = undecided
	}
	return zone, true
}

// mark applies AM or PM, with or without full stops.
func (c *clockTime) mark(text []byte) (ok bool) {
	word, n := [2]byte{}, 0
	for _, b := range text {
		if b == '.' || b == ' ' {
			continue
		}
		if n == len(word) {
			return false
		}
		word[n] = b | 0x20
		n++
	}
	switch {
	case c.hour > 12 || word[1] != 'm':
		return false
	case word[0] == 'a':
		c.hour %= 12
	case word[0] == 'p':
		c.hour = c.hour%12 + 12
	default:
		return false
	}
	return true
}

// zone reads Z or an offset from UTC, which must be all that is left.
func (p *dateParser) zone() (*time.Location, bool) {
	if p.next("Zz") {
		return time.UTC, len(p.rest) == 0
	}
	sign := 1
	if p.rest[0] == '-' {
		sign = -1
	}
	p.rest = p.rest[1:]
	hour, _, ok := p.number(2, 2)
	minute, okMinute := 0, true
	if p.next(":"); len(p.rest) > 0 {
		minute, _, okMinute = p.number(2, 2)
	}
	if !ok || !okMinute || hour > 23 || minute > 59 || len(p.rest) > 0 {
		return nil, false
	}
	return time.FixedZone("", sign*(hour*3600+minute*60)), true
}
