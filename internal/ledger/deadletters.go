package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The states of a dead letter.
const (
	StateOpen     = "open"     // nobody has decided about it
	StateReplayed = "replayed" // its task was enqueued again
	StateResolved = "settled"  // it needs nothing more
)

const (
	maxTaskID  = 512       // bytes
	maxPayload = 256 << 10 // bytes, sealed
	maxHeaders = 16 << 10  // bytes of the headers as JSON
)

// DeadLetter is a task that will not be tried again, with all that a replay needs.
type DeadLetter struct {
	TaskID     string
	Tenant     tenant.ID // as the task claimed; empty when it claimed none that is valid
	Kind       string    // empty when the task had none
	Lane       string
	Code       string    // why it died
	Attempts   int       // tries that counted
	EnqueuedAt time.Time // zero when the task didn't say
	DiedAt     time.Time
	Payload    []byte            // sealed, as it travelled
	Headers    map[string]string // as they travelled
	State      string            // Bury ignores it
}

// Filter chooses dead letters. Zero fields choose all.
type Filter struct {
	Tenant tenant.ID
	Kind   string
	Code   string
	State  string
	Since  time.Time // died then or later
	After  string    // task ID of the last letter of the page before
	Limit  int       // 100 when 0, at most 500
}

// Count is how many open letters died of one code.
type Count struct {
	Kind, Code string
	Open       int
	Oldest     time.Time // when the first of them died
}

// Bury stores a task that died; its state is StateOpen. Burying the same task again changes nothing, with one exception: a
// task that died later than before was made to run again, and its letter is open whatever became of the former one, with
// its new code, attempts and payload.
//
// ErrInvalid means that the letter as it is will never be taken, because a field is not text, too long, or missing; its
// task ID and DiedAt must be set. Who buries what strangers sent cuts it first.
func (l *Ledger) Bury(ctx context.Context, d DeadLetter) error {
	headers, err := d.check()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = l.db.ExecContext(ctx, `INSERT INTO dead_letters
		(task_id, tenant_id, kind, lane, code, attempts, enqueued_at, died_at, payload, headers, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open')
		ON CONFLICT (task_id) DO UPDATE
		SET tenant_id = excluded.tenant_id, kind = excluded.kind, lane = excluded.lane, code = excluded.code,
			attempts = excluded.attempts, enqueued_at = excluded.enqueued_at, died_at = excluded.died_at,
			payload = excluded.payload, headers = excluded.headers, state = 'open'
		WHERE excluded.died_at > dead_letters.died_at`,
		d.TaskID, string(d.Tenant), d.Kind, d.Lane, d.Code, d.Attempts, stored(d.EnqueuedAt), stored(d.DiedAt),
		notNull(d.Payload), headers)
	return fault("bury", err)
}

// check also returns the headers as they are stored.
func (d DeadLetter) check() (headers string, err error) {
	err = errors.Join(
		checkName("task id", d.TaskID, maxTaskID),
		checkText("kind", d.Kind, maxCode), checkText("lane", d.Lane, maxCode), checkText("code", d.Code, maxCode),
		checkTime("time of death", d.DiedAt), checkBytes("payload", d.Payload, maxPayload))
	if d.Tenant != "" {
		err = errors.Join(err, checkTenant(d.Tenant))
	}
	if !d.EnqueuedAt.IsZero() {
		err = errors.Join(err, checkTime("time of enqueueing", d.EnqueuedAt))
	}
	if d.Attempts < 0 || d.Attempts > 1<<30 {
		err = errors.Join(err, invalid("attempts are negative or beyond count"))
	}
	for name, value := range d.Headers {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			err = errors.Join(err, invalid("headers are not text"))
		}
	}
	if err != nil {
		return "", err
	}
	headers, err = object(d.Headers)
	if err == nil && len(headers) > maxHeaders {
		err = invalid("headers are longer than %d bytes", maxHeaders)
	}
	return headers, err
}

const letterColumns = `SELECT task_id, tenant_id, kind, lane, code, attempts, enqueued_at, died_at, payload, headers, state
	FROM dead_letters`

// DeadLetters returns the letters that the filter chooses, in the order in which they died, equal times by task ID.
// Passing the last one's task ID as After gives the next page; when it is not in the ledger, the answer is ErrNotFound.
func (l *Ledger) DeadLetters(ctx context.Context, f Filter) ([]DeadLetter, error) {
	limit, err := f.check()
	if err != nil {
		return nil, err
	}
	var where []string
	var args []any
	equal := func(column, value string) {
		if value != "" {
			args = append(args, value)
			where = append(where, column+" = $"+strconv.Itoa(len(args)))
		}
	}
	equal("tenant_id", string(f.Tenant))
	equal("kind", f.Kind)
	equal("code", f.Code)
	equal("state", f.State)
	if !f.Since.IsZero() {
		args = append(args, stored(f.Since))
		where = append(where, "died_at >= $"+strconv.Itoa(len(args)))
	}
	if f.After != "" {
		last, err := l.DeadLetter(ctx, f.After)
		if err != nil {
			return nil, err
		}
		where = append(where, "(died_at, task_id) > ("+parameters(len(args)+1, len(args)+2)+")")
		args = append(args, stored(last.DiedAt), last.TaskID)
	}
	query := letterColumns
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	args = append(args, limit)
	query += " ORDER BY died_at, task_id LIMIT $" + strconv.Itoa(len(args))
	return l.letters(ctx, "list dead letters", query, args...)
}

// check also returns how many letters to list.
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

// DeadLetter returns one letter, or ErrNotFound.
func (l *Ledger) DeadLetter(ctx context.Context, taskID string) (DeadLetter, error) {
	if err := checkName("task id", taskID, maxTaskID); err != nil {
		return DeadLetter{}, err
	}
	found, err := l.letters(ctx, "read dead letter", letterColumns+` WHERE task_id = $1`, taskID)
	if err != nil {
		return DeadLetter{}, err
	}
	if len(found) == 0 {
		return DeadLetter{}, fmt.Errorf("dead letter: %w", ErrNotFound)
	}
	return found[0], nil
}

func (l *Ledger) letters(ctx context.Context, operation, query string, args ...any) ([]DeadLetter, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fault(operation, err)
	}
	return collect(operation, found, scanLetter)
}

func scanLetter(row *sql.Rows) (DeadLetter, error) {
	var d DeadLetter
	var enqueued, died int64
	var headers string
	if err := row.Scan(&d.TaskID, &d.Tenant, &d.Kind, &d.Lane, &d.Code, &d.Attempts, &enqueued, &died, &d.Payload,
		&headers, &d.State); err != nil {
		return DeadLetter{}, err
	}
	d.EnqueuedAt, d.DiedAt = restored(enqueued), restored(died)
	d.Payload = nilIfEmpty(d.Payload)
	m, err := members(headers)
	d.Headers = m
	return d, err
}

// Resolve moves an open letter to StateReplayed or StateSettled. When it is not open the answer is ErrConflict, even when
// it is in the wished state already: of callers who settle one letter at the same time, exactly one may act on it.
func (l *Ledger) Resolve(ctx context.Context, taskID, state string) error {
	if state != StateReplayed && state != StateResolved {
		return invalid("a letter can become %s or %s", StateReplayed, StateResolved)
	}
	if err := checkName("task id", taskID, maxTaskID); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	moved, err := wrote(l.db.ExecContext(ctx, `UPDATE dead_letters SET state = $2 WHERE task_id = $1 AND state = 'open'`,
		taskID, state))
	if err != nil || moved {
		return fault("settle dead letter", err)
	}
	if _, err := l.DeadLetter(ctx, taskID); err != nil {
		return err
	}
	return fmt.Errorf("settle dead letter: %w", ErrConflict)
}

// Replay hands an open letter to run, which makes its task wait again, and moves the letter to the state that run returns:
// StateReplayed, or StateSettled when there was nothing to do any more. The answer is the letter as it was.
//
// A letter that is not open, or not any more when run returns, is ErrConflict. run may thus be called by two callers at
// once and must not mind; and when the task dies again before the letter is moved, the letter stays open with its new
// death. Interrupted before that, the letter is open, and replaying it again ends it.
func (l *Ledger) Replay(ctx context.Context, taskID string, run func(context.Context, DeadLetter) (state string, err error),
) (DeadLetter, error) {
	d, err := l.DeadLetter(ctx, taskID)
	if err != nil {
		return DeadLetter{}, err
	}
	if d.State != StateOpen {
		return d, fmt.Errorf("replay dead letter: %w", ErrConflict)
	}
	state, err := run(ctx, d)
	if err != nil {
		return d, err
	}
	if state != StateReplayed && state != StateResolved {
		return d, invalid("a letter can become %s or %s", StateReplayed, StateResolved)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout) // what run did is done
	defer cancel()
	moved, err := wrote(l.db.ExecContext(ctx, `UPDATE dead_letters SET state = $2
		WHERE task_id = $1 AND state = 'open' AND died_at = $3`, taskID, state, stored(d.DiedAt)))
	if err == nil && !moved {
		return d, fmt.Errorf("replay dead letter: %w", ErrConflict)
	}
	return d, fault("replay dead letter", err)
}

// Counts returns how many letters are open by kind and code, most first; at most 500 rows.
func (l *Ledger) Counts(ctx context.Context) ([]Count, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT kind, code, COUNT(*) AS letters, MIN(died_at) FROM dead_letters
		WHERE state = 'open' GROUP BY kind, code ORDER BY letters DESC, kind, code LIMIT $1`, maxRows)
	if err != nil {
		return nil, fault("count dead letters", err)
	}
	return collect("count dead letters", found, func(row *sql.Rows) (Count, error) {
		var c Count
		var oldest int64
		err := row.Scan(&c.Kind, &c.Code, &c.Open, &oldest)
		c.Oldest = restored(oldest)
		return c, err
	})
}
