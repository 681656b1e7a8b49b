package tasks

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
)

// Date is a day in the practice's own calendar, without a time or a zone, in
// the years 1900 to 2199. It is written 2006-01-02. The zero value is no day
// and is refused by Validate.
type Date = civil.Date

// DateOf returns the day on which t falls in t's own location, and the zero
// Date when that is outside the range.
func DateOf(t time.Time) Date { return civil.DateOf(t) }

// ParseDate reads 2006-01-02. It refuses days that no calendar has, and years
// outside the range.
func ParseDate(s string) (Date, error) { return civil.ParseDate(s) }
