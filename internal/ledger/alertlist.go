package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// AlertFilter selects alerts. Zero fields select all.
type AlertFilter struct {
	Tenant   tenant.ID
	Practice string
	Code     codes.Code
	Limit    int // 100 when 0, at most 500
}

// AlertCount is the number of alerts with one code.
type AlertCount struct {
	Code   codes.Code
	Alerts int
	Rows   int       // of all these alerts
	First  time.Time // when the oldest of them was first seen
}

const alertColumns = `SELECT tenant_id, practice_id, day, code, rows, first_seen, last_seen FROM alerts`

// Alerts returns the selected alerts. Those that belong to no day come first, the others by day;
// equal ones in the order in which they were first seen.
func (l *Ledger) Alerts(ctx context.Context, f AlertFilter) ([]Alert, error) {
	limit, err := pageSize(f.Limit)
	if err = errors.Join(err, f.check()); err != nil {
		return nil, err
	}
	where, args := f.where()
	args = append(args, limit)
	return l.queryAlerts(ctx, alertColumns+where+
		" ORDER BY day, first_seen, tenant_id, practice_id, code LIMIT $"+strconv.Itoa(len(args)), args...)
}

func (f AlertFilter) check() error {
	err := errors.Join(checkText("practice's id", f.Practice, maxCode), checkText("code", string(f.Code), maxCode))
	if f.Tenant != "" {
		err = errors.Join(err, checkTenant(f.Tenant))
	}
	return err
}

// where returns the condition of a query and its parameters.
func (f AlertFilter) where() (condition string, args []any) {
	var where []string
	for _, c := range []struct{ column, value string }{
		{"tenant_id", string(f.Tenant)}, {"practice_id", f.Practice}, {"code", string(f.Code)},
	} {
		if c.value != "" {
			args = append(args, c.value)
			where = append(where, c.column+" = $"+strconv.Itoa(len(args)))
		}
	}
	if len(where) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(where, " AND "), args
}

// alertsIn returns the alerts of a scope.
func (l *Ledger) alertsIn(ctx context.Context, s AlertScope) ([]Alert, error) {
	all, err := l.queryAlerts(ctx, alertColumns+` WHERE tenant_id = $1 AND practice_id = $2 AND day >= $3 AND day <= $4`,
		string(s.Tenant), s.Practice, s.From.String(), s.To.String())
	return slices.DeleteFunc(all, func(a Alert) bool {
		return a.Code == codes.AlertsCut || len(s.Codes) > 0 && !slices.Contains(s.Codes, a.Code)
	}), err
}

func (l *Ledger) queryAlerts(ctx context.Context, query string, args ...any) ([]Alert, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, dbError("read alerts", err)
	}
	return collect("read alerts", found, func(row *sql.Rows) (Alert, error) {
		var a Alert
		var day string
		var first, last int64
		if err := row.Scan(&a.Tenant, &a.Practice, &day, &a.Code, &a.Rows, &first, &last); err != nil {
			return Alert{}, err
		}
		a.First, a.Last = fromMicros(first), fromMicros(last)
		if day == "" {
			return a, nil
		}
		var err error
		a.Day, err = civil.ParseDate(day)
		return a, err
	})
}

// AlertCounts returns the number of the selected alerts by code, in order of the codes. It ignores
// the limit.
func (l *Ledger) AlertCounts(ctx context.Context, f AlertFilter) ([]AlertCount, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	where, args := f.where()
	args = append(args, maxRows)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT code, COUNT(*), SUM(rows), MIN(first_seen) FROM alerts`+where+
		" GROUP BY code LIMIT $"+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, dbError("count alerts", err)
	}
	counts, err := collect("count alerts", found, func(row *sql.Rows) (AlertCount, error) {
		var c AlertCount
		var first int64
		err := row.Scan(&c.Code, &c.Alerts, &c.Rows, &first)
		c.First = fromMicros(first)
		return c, err
	})
	slices.SortFunc(counts, func(a, b AlertCount) int { return cmp.Compare(a.Code, b.Code) })
	return counts, err
}
