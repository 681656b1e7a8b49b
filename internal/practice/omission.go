package practice

import (
	"cmp"
	"slices"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
)

// Omission is one reason why a day may show less than the vendor has of it.
type Omission struct {
	Code codes.Code `json:"code"`
	Rows int        `json:"rows"` // how many rows are not shown; 0 if their number is unknown
}

// DayOmission is one reason why one day of a view may show less than the vendor has of it.
type DayOmission struct {
	Day civil.Date `json:"day"`
	Omission
}

// omissionsMayDiffer reports whether the roster may lack something else than the cached one. The
// last-seen record has what the last answer lacked, and a doubtful one did not replace the roster.
func (u *dayUpdate) omissionsMayDiffer() bool {
	was := u.roster
	return !was.known || was.facts.Doubt != "" || !slices.Equal(was.facts.Incomplete, u.next.Incomplete)
}

// Span is a range of days. Without From it has every day before To, and without To every day after
// From.
type Span struct{ From, To civil.Date }

// Has reports whether a day is in the range.
func (s Span) Has(d civil.Date) bool {
	return s.From.Compare(d) <= 0 && (s.To.IsZero() || d.Compare(s.To) <= 0)
}

// incomplete reports whether the answer may lack visits. A day of which it does loses none: what
// the answer lacks may be what could not be read. A row whose end cannot be read has a number, so
// it keeps the visits of that number alone.
func (u *dayUpdate) incomplete() bool {
	return slices.ContainsFunc(u.next.Incomplete, func(o Omission) bool { return o.Code != codes.RowOpenEnded })
}

// omissions returns the reasons why the day may show less than the vendor has of it, in the order
// of their codes.
func (a *Answer) omissions() []Omission {
	var out []Omission
	for code, rows := range a.SetAside {
		out = append(out, Omission{code, rows})
	}
	if a.Partial {
		out = append(out, Omission{Code: codes.ListCut})
	}
	slices.SortFunc(out, func(x, y Omission) int { return cmp.Compare(x.Code, y.Code) })
	return out
}
