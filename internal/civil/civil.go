// Package civil has the calendar day: a date without a time of day or a zone.
package civil

import (
	"cmp"
	"errors"
	"sort"
	"time"
)

// Date is a day in a practice's own calendar. It is written 2006-01-02. The zero value is no day
// and sorts before every day. Dates are comparable with ==.
//
// A Date is in the years 1900 to 2199, which is what the vendor's client carries: it reads other
// years as no date, because .NET writes the year 1 for "none" and 9999 for "never", and refuses to
// send them. JSON and SQL carry more.
type Date struct{ n int32 } // days since 1899-12-31

const (
	last      = 109_573 // 2199-12-31
	unixEpoch = 25_568  // 1970-01-01
	secsOfDay = 24 * 60 * 60
)

var errDate = errors.New("not a date of the form 2006-01-02 in the years 1900 to 2199")

// DateOf returns the day on which t falls in t's own location, and the zero Date when that is
// outside the range.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	n := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()/secsOfDay + unixEpoch
	if n < 1 || n > last {
		return Date{}
	}
	return Date{int32(n)} // at most last
}

// ParseDate reads 2006-01-02. It refuses days that no calendar has, and years outside the range.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, errDate // the cause quotes the text
	}
	d := DateOf(t)
	if d.IsZero() {
		return Date{}, errDate
	}
	return d, nil
}

// Range lists the days from the first to the last, both included; none when the last is before the
// first, or one of the two is no day.
func Range(first, last Date) []Date {
	if first.IsZero() || last.n < first.n {
		return nil
	}
	out := make([]Date, 0, last.n-first.n+1)
	for n := first.n; n <= last.n; n++ {
		out = append(out, Date{n})
	}
	return out
}

// String returns 2006-01-02, or "" for the zero Date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.utc().Format(time.DateOnly)
}

// IsZero reports whether d is no day.
func (d Date) IsZero() bool { return d == Date{} }

// Compare is negative when d is before e, positive when after, zero when equal.
func (d Date) Compare(e Date) int { return cmp.Compare(d.n, e.n) }

// Days returns how many days e is after d, negative when before.
func (d Date) Days(e Date) int { return int(e.n - d.n) }

// Min returns the earlier of two days.
func Min(d, e Date) Date { return Date{min(d.n, e.n)} }

// Max returns the later of two days.
func Max(d, e Date) Date { return Date{max(d.n, e.n)} }

// Add returns the day n days later; n may be negative. The result is clamped to the range.
// The zero Date is returned unchanged.
func (d Date) Add(n int) Date {
	if d.IsZero() {
		return d
	}
	n = min(max(n, -last), last) // farther than the range is wide; a larger n would overflow the sum
	return Date{min(max(d.n+int32(n), 1), last)}
}

// utc returns the day's midnight in UTC, a zone that skips and repeats none.
func (d Date) utc() time.Time { return time.Unix((int64(d.n)-unixEpoch)*secsOfDay, 0).UTC() }

// In returns the first instant of the day in loc, which is not always midnight: where the clocks
// skip midnight the day begins later, and where midnight comes twice the day begins with the first.
// For a day that a zone skips altogether In returns the first instant of the day after it. The zero
// Date gives the zero Time.
func (d Date) In(loc *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	midnight := d.utc().Unix()
	earliest := midnight - maxOffset
	before, after := offset(earliest, loc), offset(midnight+maxOffset, loc)
	start := midnight - before
	if before != after {
		// Time.ZoneBounds would name the change of clocks, but on the last day of a leap year its
		// bounds are wrong.
		change := earliest + int64(sort.Search(2*maxOffset, func(i int) bool { return offset(earliest+int64(i), loc) == after }))
		if start >= change {
			start = max(midnight-after, change)
		}
	}
	return time.Unix(start, 0).In(loc)
}

// maxOffset is at least as large as every historical offset from UTC, in seconds.
const maxOffset = 16 * 60 * 60

// offset is how many seconds the clocks of loc are ahead of UTC at an instant.
func offset(unix int64, loc *time.Location) int64 {
	_, seconds := time.Unix(unix, 0).In(loc).Zone()
	return int64(seconds)
}

// MarshalText returns what String does. The zero Date is an error.
func (d Date) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, errDate
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what ParseDate does.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
