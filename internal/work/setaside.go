package work

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
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

// setAside counts the rows that are not shown, by day and code. Rows whose day is unknown are under
// the zero Date.
type setAside struct {
	zone *time.Location
	rows map[civil.Date]map[codes.Code]int
}

func (s *setAside) add(code codes.Code, start time.Time) {
	var on civil.Date
	if !start.IsZero() {
		on = civil.DateOf(start.In(s.zone))
	}
	if s.rows == nil {
		s.rows = map[civil.Date]map[codes.Code]int{}
	}
	if s.rows[on] == nil {
		s.rows[on] = map[codes.Code]int{}
	}
	s.rows[on][code]++
}

// of counts the rows that are or may be of a day.
func (s *setAside) of(on civil.Date) map[codes.Code]int {
	out := map[codes.Code]int{}
	for _, d := range []civil.Date{{}, on} {
		for code, n := range s.rows[d] {
			out[code] += n
		}
	}
	return out
}

// rowCodes are the codes of rows that operators are alerted of by day.
var rowCodes = []codes.Code{codes.RowUnidentified, codes.RowUndated, codes.RowUnreadable, codes.RowForeign, codes.RowRepeated, codes.RowField, codes.ListCut}

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

func (a *answer) alerts() []ledger.Alert {
	var found []ledger.Alert
	repeated := a.repeated()
	for _, on := range civil.Range(a.from, a.to) {
		for code, rows := range a.setAside.of(on) {
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
