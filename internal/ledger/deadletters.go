package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The states of a dead letter.
const (
	StateOpen     = "open"     // not replayed or resolved
	StateReplayed = "replayed" // its task was enqueued again
	StateResolved = "settled"  // it needs no further action
)

const (
	maxTaskID  = 512       // bytes
	maxPayload = 256 << 10 // bytes, sealed
	maxHeaders = 16 << 10  // bytes of the headers as JSON
)

// DeadLetter is a task that will not be retried, with everything that a replay needs.
type DeadLetter struct {
	TaskID     string
	Tenant     tenant.ID // as the task claimed; empty without a valid claim
	Kind       string    // empty when the task had none
	Lane       string
	Code       string    // why it died
	Attempts   int       // attempts that counted
	EnqueuedAt time.Time // zero if unknown
	DiedAt     time.Time
	Payload    []byte            // sealed, as it was enqueued
	Headers    map[string]string // as they were enqueued
	State      string            // Bury ignores it, as it does Reason
	Reason     string            // why an operator resolved it; empty if none did
}

// Bury stores a dead task with StateOpen. Burying the same task again changes nothing, with one
// exception: if it died later than before, it had been run again, and its dead letter becomes open,
// whatever its state was, with the new code, attempts and payload.
//
// ErrInvalid means that the dead letter can never be stored, because a field is not text, too long
// or missing; the task ID and DiedAt are required. A caller that buries input from outside
// truncates it first.
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
			payload = excluded.payload, headers = excluded.headers, state = 'open', reason = ''
		WHERE excluded.died_at > dead_letters.died_at`,
		d.TaskID, string(d.Tenant), d.Kind, d.Lane, d.Code, d.Attempts, toMicros(d.EnqueuedAt), toMicros(d.DiedAt),
		notNull(d.Payload), headers)
	return dbError("bury", err)
}

// check also returns the headers in their stored form.
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
	headers, err = encodeObject(d.Headers)
	if err == nil && len(headers) > maxHeaders {
		err = invalid("headers are longer than %d bytes", maxHeaders)
	}
	return headers, err
}

// Resolve moves an open dead letter to StateReplayed or StateResolved. If it is not open, Resolve
// returns ErrConflict, even if it already has that state: of several concurrent callers exactly one
// may act on a dead letter.
func (l *Ledger) Resolve(ctx context.Context, taskID, state string) error {
	return l.resolve(ctx, taskID, state, "")
}

// ResolveFor is Resolve with StateResolved for a reason, which names no person.
func (l *Ledger) ResolveFor(ctx context.Context, taskID, reason string) error {
	if err := checkName("reason", reason, maxCode); err != nil {
		return err
	}
	return l.resolve(ctx, taskID, StateResolved, reason)
}

func (l *Ledger) resolve(ctx context.Context, taskID, state, reason string) error {
	if err := errors.Join(checkFinal(state), checkName("task id", taskID, maxTaskID)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	moved, err := changedRow(l.db.ExecContext(ctx, `UPDATE dead_letters SET state = $2, reason = $3
		WHERE task_id = $1 AND state = 'open'`, taskID, state, reason))
	if err != nil || moved {
		return dbError("resolve dead letter", err)
	}
	if _, err := l.DeadLetter(ctx, taskID); err != nil {
		return err
	}
	return fmt.Errorf("resolve dead letter: %w", ErrConflict)
}

// checkFinal accepts the states that a dead letter may move to.
func checkFinal(state string) error {
	if state != StateReplayed && state != StateResolved {
		return invalid("a dead letter can become %s or %s", StateReplayed, StateResolved)
	}
	return nil
}

// Replay passes an open dead letter to run, which enqueues its task again, and moves it to the
// state that run returns: StateReplayed, or StateResolved if there was nothing left to do. It
// returns the dead letter as it was before.
//
// A dead letter that is not open, or no longer open when run returns, is ErrConflict. Two callers
// may therefore call run at the same time, and it must be harmless to repeat. If the task dies
// again before its dead letter is moved, it stays open with its new death. After an interruption
// before that, it is still open, and replaying it again completes the replay.
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
	if err := checkFinal(state); err != nil {
		return d, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout) // run has already had its effect
	defer cancel()
	moved, err := changedRow(l.db.ExecContext(ctx, `UPDATE dead_letters SET state = $2
		WHERE task_id = $1 AND state = 'open' AND died_at = $3`, taskID, state, toMicros(d.DiedAt)))
	if err == nil && !moved {
		return d, fmt.Errorf("replay dead letter: %w", ErrConflict)
	}
	return d, dbError("replay dead letter", err)
}
