package tasks

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
)

// Date is a day in the practice's own calendar, without a time or a zone, in the years 1900 to
// 2199. Its text and JSON have the form 2006-01-02. The zero Date is no day, and Validate rejects
// it where a day is required.
type Date = civil.Date

// DateOf returns the day on which t falls in t's own location. It returns the zero Date if the day
// is outside the range.
func DateOf(t time.Time) Date { return civil.DateOf(t) }

// ParseDate reads a day of the form 2006-01-02. It fails for a day that no calendar has and for a
// year outside the range. The error does not repeat s.
func ParseDate(s string) (Date, error) { return civil.ParseDate(s) }
