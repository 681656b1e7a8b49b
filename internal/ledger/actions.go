package ledger

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Action is a decision of an operator.
type Action struct {
	At       time.Time
	Operator string    // who: the name of a login, or of the user of a command
	Action   string    // what, such as breaker.open
	Tenant   tenant.ID // empty for what belongs to no tenant
	Subject  string    // of what, such as the scope of a breaker
	Reason   string    // as ParseReason returns it
	Until    time.Time // when it ends by itself; zero if it does not
}

// actionLife is how long actions are kept.
const actionLife = 400 * 24 * time.Hour

// RecordAction stores an action, and removes those that are older than 400 days.
func (l *Ledger) RecordAction(ctx context.Context, a Action) error {
	err := errors.Join(
		checkTime("time of the action", a.At), checkName("operator", a.Operator, maxCode), checkName("action", a.Action, maxCode),
		checkName("subject", a.Subject, maxCode), checkName("reason", a.Reason, maxCode))
	if a.Tenant != "" {
		err = errors.Join(err, checkTenant(a.Tenant))
	}
	if !a.Until.IsZero() {
		err = errors.Join(err, checkTime("end of the action", a.Until))
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return dbError("record action", l.inTransaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM operator_actions WHERE acted_at < $1`, toMicros(a.At.Add(-actionLife))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO operator_actions (id, acted_at, operator, action, tenant_id, subject, reason, until)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			rand.Text(), toMicros(a.At), a.Operator, a.Action, string(a.Tenant), a.Subject, a.Reason, toMicros(a.Until))
		return err
	}))
}

// Actions returns the latest actions on a subject of a tenant, or of none, the latest first.
func (l *Ledger) Actions(ctx context.Context, id tenant.ID, subject string, limit int) ([]Action, error) {
	limit, err := pageSize(limit)
	if err = errors.Join(err, checkName("subject", subject, maxCode)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT acted_at, operator, action, tenant_id, subject, reason, until
		FROM operator_actions WHERE tenant_id = $1 AND subject = $2 ORDER BY acted_at DESC, id LIMIT $3`, string(id), subject, limit)
	if err != nil {
		return nil, dbError("read actions", err)
	}
	return collect("read actions", found, func(r *sql.Rows) (Action, error) {
		var a Action
		var at, until int64
		err := r.Scan(&at, &a.Operator, &a.Action, &a.Tenant, &a.Subject, &a.Reason, &until)
		a.At, a.Until = fromMicros(at), fromMicros(until)
		return a, err
	})
}

// MaxReason is how many bytes a reason has at most.
const MaxReason = 96

// ParseReason returns an operator's reason as it is stored and logged: one word, with hyphens for
// spaces. Its alphabet leaves no room for a sentence about a person. ErrInvalid means that it is
// empty, too long or has other characters.
func ParseReason(text string) (string, error) {
	reason := strings.Join(strings.Fields(text), "-")
	if reason == "" || len(reason) > MaxReason ||
		strings.Trim(reason, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/+") != "" {
		return "", invalid("a reason must have 1 to %d letters, digits, spaces and any of -._:/+", MaxReason)
	}
	return reason, nil
}
