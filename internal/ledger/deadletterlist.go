package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Filter selects dead letters. Zero fields select all.
type Filter struct {
	Tenant tenant.ID
	Kind   string
	Code   string
	State  string
	Since  time.Time // died at this time or later
	After  string    // task ID of the last dead letter of the previous page
	Limit  int       // 100 when 0, at most 500
}

// Count is the number of open dead letters of one kind and code.
type Count struct {
	Kind, Code string
	Open       int
	Oldest     time.Time // when the oldest of them died
}

const deadLetterColumns = `SELECT task_id, tenant_id, kind, lane, code, attempts, enqueued_at, died_at, payload, headers, state, reason
	FROM dead_letters`

// DeadLetters returns the selected dead letters in the order in which they died, equal times by
// task ID. The task ID of the last one as After returns the next page; if it is not in the ledger,
// the result is ErrNotFound.
func (l *Ledger) DeadLetters(ctx context.Context, f Filter) ([]DeadLetter, error) {
	limit, err := f.check()
	if err != nil {
		return nil, err
	}
	where, args := f.conditions()
	if f.After != "" {
		last, err := l.DeadLetter(ctx, f.After)
		if err != nil {
			return nil, err
		}
		where = cmp.Or(where, " WHERE TRUE") + " AND (died_at, task_id) > (" + parameters(len(args)+1, len(args)+2) + ")"
		args = append(args, toMicros(last.DiedAt), last.TaskID)
	}
	query := deadLetterColumns + where
	args = append(args, limit)
	query += " ORDER BY died_at, task_id LIMIT $" + strconv.Itoa(len(args))
	return l.queryDeadLetters(ctx, "list dead letters", query, args...)
}

// check also returns the number of dead letters to list.
func (f Filter) check() (limit int, err error) {
	limit, err = pageSize(f.Limit)
	if f.Tenant != "" {
		err = errors.Join(err, checkTenant(f.Tenant))
	}
	if !f.Since.IsZero() {
		err = errors.Join(err, checkTime("since", f.Since))
	}
	return limit, errors.Join(err, checkText("kind", f.Kind, maxCode), checkText("code", f.Code, maxCode),
		checkText("state", f.State, maxCode))
}

// DeadLetterStates returns the states of the dead letters of these tasks, at most 500. A task
// without a dead letter is not in the result.
func (l *Ledger) DeadLetterStates(ctx context.Context, taskIDs []string) (map[string]string, error) {
	if len(taskIDs) == 0 || len(taskIDs) > maxRows {
		return nil, invalid("%d tasks, want 1 to %d", len(taskIDs), maxRows)
	}
	args := make([]any, len(taskIDs))
	for i, id := range taskIDs {
		args[i] = id
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	const operation = "read states of dead letters"
	found, err := l.db.QueryContext(ctx, `SELECT task_id, state FROM dead_letters WHERE task_id IN (`+parameters(1, len(args))+`)`, args...)
	if err != nil {
		return nil, dbError(operation, err)
	}
	type row struct{ id, state string }
	rows, err := collect(operation, found, func(r *sql.Rows) (row, error) {
		var v row
		return v, r.Scan(&v.id, &v.state)
	})
	states := make(map[string]string, len(rows))
	for _, v := range rows {
		states[v.id] = v.state
	}
	return states, err
}

// DeadLetter returns one dead letter, or ErrNotFound.
func (l *Ledger) DeadLetter(ctx context.Context, taskID string) (DeadLetter, error) {
	if err := checkName("task id", taskID, maxTaskID); err != nil {
		return DeadLetter{}, err
	}
	found, err := l.queryDeadLetters(ctx, "read dead letter", deadLetterColumns+` WHERE task_id = $1`, taskID)
	if err != nil {
		return DeadLetter{}, err
	}
	if len(found) == 0 {
		return DeadLetter{}, fmt.Errorf("dead letter: %w", ErrNotFound)
	}
	return found[0], nil
}

func (l *Ledger) queryDeadLetters(ctx context.Context, operation, query string, args ...any) ([]DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, dbError(operation, err)
	}
	return collect(operation, found, scanDeadLetter)
}

func scanDeadLetter(row *sql.Rows) (DeadLetter, error) {
	var d DeadLetter
	var enqueued, died int64
	var headers string
	if err := row.Scan(&d.TaskID, &d.Tenant, &d.Kind, &d.Lane, &d.Code, &d.Attempts, &enqueued, &died, &d.Payload,
		&headers, &d.State, &d.Reason); err != nil {
		return DeadLetter{}, err
	}
	d.EnqueuedAt, d.DiedAt = fromMicros(enqueued), fromMicros(died)
	d.Payload = nilIfEmpty(d.Payload)
	m, err := decodeObject(headers)
	d.Headers = m
	return d, err
}

// Counts returns the number of open dead letters by kind and code, highest first; at most 500 rows.
func (l *Ledger) Counts(ctx context.Context) ([]Count, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT kind, code, COUNT(*) AS n, MIN(died_at) FROM dead_letters
		WHERE state = 'open' GROUP BY kind, code ORDER BY n DESC, kind, code LIMIT $1`, maxRows)
	if err != nil {
		return nil, dbError("count dead letters", err)
	}
	return collect("count dead letters", found, func(row *sql.Rows) (Count, error) {
		var c Count
		var oldest int64
		err := row.Scan(&c.Kind, &c.Code, &c.Open, &oldest)
		c.Oldest = fromMicros(oldest)
		return c, err
	})
}
