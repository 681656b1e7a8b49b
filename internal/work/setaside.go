package work

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// codeOf is the code of a row that the client could not read.
func codeOf(row tebra.SetAside) codes.Code {
	switch row.Reason {
	case tebra.SetAsideID:
		return codes.RowUnidentified
	case tebra.SetAsideDate:
		return codes.RowUndated
	}
	return codes.RowUnreadable
}

// setAside are the rows that are not shown, or not on all of their days.
type setAside struct {
	zone *time.Location
	rows []unshown
}

// unshown is a row with the days of which it is or may be.
type unshown struct {
	code codes.Code
	days practice.Span
}

// add adds a row of the days from start to end. It may be of any day if start is zero, and of any
// day from start on if end is zero.
func (s *setAside) add(code codes.Code, start, end time.Time) {
	var days practice.Span
	if !start.IsZero() {
		days.From = civil.DateOf(start.In(s.zone))
	}
	if !start.IsZero() && !end.IsZero() {
		days.To = practice.LastDay(days.From, start, end, s.zone)
	}
	s.rows = append(s.rows, unshown{code, days})
}

// addRow adds a row that the client has read and no board can show.
func (s *setAside) addRow(code codes.Code, row *tebra.Appointment) {
	end := row.End
	if end.IsZero() && !row.EndUnread() {
		end = row.Start
	}
	s.add(code, row.Start, end)
}

// late is the hour from which a patient's visit may last until the next day.
const late = 18

// addOpenEnded adds an entry that is shown on its first day alone, because its end cannot be read.
// Its later days are so few that every list reaches back to its start from any of them: boards
// would otherwise change with each kind of list. It reports whether there are any.
func (s *setAside) addOpenEnded(v *practice.Appointment) bool {
	days := practice.Span{From: v.Day.Add(1), To: v.Day.Add(minLookback)}
	if v.Type == practice.Visit {
		days.To = days.From
		if v.Start.In(s.zone).Hour() < late {
			return false
		}
	}
	s.rows = append(s.rows, unshown{codes.RowOpenEnded, days})
	return true
}

// of counts the rows that are or may be of a day.
func (s *setAside) of(on civil.Date) map[codes.Code]int {
	out := map[codes.Code]int{}
	for _, row := range s.rows {
		if row.days.Has(on) {
			out[row.code]++
		}
	}
	return out
}

// spans lists the days of the rows that cannot be identified or shown, each range once.
func (s *setAside) spans() []practice.Span {
	seen := map[practice.Span]bool{}
	var out []practice.Span
	for _, row := range s.rows {
		if !seen[row.days] && row.code != codes.RowOpenEnded {
			seen[row.days] = true
			out = append(out, row.days)
		}
	}
	return out
}

// alertDay returns the day of a window on which operators are alerted of the row, if there is one:
// the first that it may be of. One without an end has the same day in every window, which is that
// of its start, or today if it began earlier.
func (u *unshown) alertDay(from, to, today civil.Date) (civil.Date, bool) {
	if u.code == codes.RowOpenEnded {
		on := u.days.From.Add(-1)
		if u.days.Has(today) {
			on = today
		}
		return on, from.Compare(on) <= 0 && on.Compare(to) <= 0
	}
	on := civil.Max(from, u.days.From)
	return on, u.days.Has(on) && on.Compare(to) <= 0
}

// alerts counts the rows by the days of a window on which operators are alerted of them.
func (s *setAside) alerts(from, to, today civil.Date) map[civil.Date]map[codes.Code]int {
	out := map[civil.Date]map[codes.Code]int{}
	for _, row := range s.rows {
		on, ok := row.alertDay(from, to, today)
		if !ok {
			continue
		}
		if out[on] == nil {
			out[on] = map[codes.Code]int{}
		}
		out[on][row.code]++
	}
	return out
}

// hidden counts the practice's rows that no board shows, and on how many of the days they are. One
// whose days are unknown counts once.
func (s *setAside) hidden(days []civil.Date) (rows, visits int) {
	for _, row := range s.rows {
		switch {
		case row.code == codes.RowForeign || row.code == codes.RowOpenEnded:
			continue
		case row.days.To.IsZero():
			visits++
		default:
			for _, on := range days {
				if row.days.Has(on) {
					visits++
				}
			}
		}
		rows++
	}
	return rows, visits
}

// rowCodes are the codes of rows that operators are alerted of by day.
var rowCodes = []codes.Code{codes.RowUnidentified, codes.RowUndated, codes.RowOpenEnded, codes.RowUnreadable, codes.RowForeign, codes.RowRepeated, codes.RowField, codes.ListCut}

// alert stores which days of the answer lack rows or values, or have rows that share a number, and
// ends the alerts of days that do not. Without the ledger the boards are served all the same.
func (a *answer) alert(ctx context.Context) {
	found := a.alerts()
	scope := ledger.AlertScope{Tenant: a.tenant, Practice: a.id, From: a.from, To: a.to, Codes: rowCodes}
	changed, err := a.Ledger.SetAlerts(ctx, scope, found, time.Now())
	ref := string(a.Store.Names(a.tenant).Practice(a.id))
	if err != nil {
		a.Logger.WarnContext(ctx, "alerts about rows of a schedule cannot be stored", "practice", ref, "error", err)
		return
	}
	rows := map[codes.Code]int{}
	for _, alert := range found {
		rows[alert.Code] += alert.Rows
	}
	for code, n := range rows {
		if changed {
			a.Logger.WarnContext(ctx, "rows of a schedule need attention", "tenant", a.tenant.String(), "practice", ref,
				"code", code, "rows", n)
		}
	}
}

// alerts lists what was found. A row counts once, on the first day of the window that it may be of:
// an alert without a day would be ended by the next clean answer about other days.
func (a *answer) alerts() []ledger.Alert {
	var found []ledger.Alert
	repeated, aside := a.repeated(), a.setAside.alerts(a.from, a.to, a.today)
	for _, on := range civil.Range(a.from, a.to) {
		for code, rows := range aside[on] {
			found = append(found, ledger.Alert{Day: on, Code: code, Rows: rows})
		}
		if rows := repeated[on]; rows > 0 {
			found = append(found, ledger.Alert{Day: on, Code: codes.RowRepeated, Rows: rows})
		}
		if rows := a.unread[on]; rows > 0 {
			found = append(found, ledger.Alert{Day: on, Code: codes.RowField, Rows: rows})
		}
		if a.partial {
			found = append(found, ledger.Alert{Day: on, Code: codes.ListCut})
		}
	}
	return found
}

// repeated counts by day the rows that share a number with others of the answer.
func (a *answer) repeated() map[civil.Date]int {
	rows := map[string]int{}
	for _, v := range a.visits {
		rows[v.ID.Reveal()]++
	}
	out := map[civil.Date]int{}
	for _, v := range a.visits {
		if rows[v.ID.Reveal()] > 1 {
			out[v.Day]++
		}
	}
	return out
}
