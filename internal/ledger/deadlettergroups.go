package ledger

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"
)

// Group is the dead letters of one kind and code.
type Group struct {
	Kind, Code  string
	DeadLetters int
	First, Last time.Time // when the first and the last of them died
	Examples    []string  // task IDs of two of them at most
}

// Groups returns the selected dead letters by kind and code, largest first. After and the limit of
// the filter refer to no group: it returns at most 500.
func (l *Ledger) Groups(ctx context.Context, f Filter) ([]Group, error) {
	if _, err := f.check(); err != nil {
		return nil, err
	}
	where, args := f.conditions()
	args = append(args, maxRows)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT kind, code, COUNT(*) AS n, MIN(died_at), MAX(died_at), MIN(task_id), MAX(task_id)
		FROM dead_letters`+where+` GROUP BY kind, code ORDER BY n DESC, kind, code LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, dbError("group dead letters", err)
	}
	return collect("group dead letters", found, func(row *sql.Rows) (Group, error) {
		var g Group
		var first, last int64
		var one, other string
		err := row.Scan(&g.Kind, &g.Code, &g.DeadLetters, &first, &last, &one, &other)
		g.First, g.Last, g.Examples = fromMicros(first), fromMicros(last), []string{one}
		if other != one {
			g.Examples = append(g.Examples, other)
		}
		return g, err
	})
}

// conditions returns the WHERE clause of the filter without After, and its parameters.
func (f Filter) conditions() (where string, args []any) {
	var all []string
	add := func(condition string, value any) {
		args = append(args, value)
		all = append(all, condition+" $"+strconv.Itoa(len(args)))
	}
	for _, c := range []struct{ column, value string }{{"tenant_id", string(f.Tenant)}, {"kind", f.Kind}, {"code", f.Code}, {"state", f.State}} {
		if c.value != "" {
			add(c.column+" =", c.value)
		}
	}
	if !f.Since.IsZero() {
		add("died_at >=", toMicros(f.Since))
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), args
}
