package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Begin records when schedules of the tenant began that have no tick yet. A beginning only moves
// back: of several schedulers the first one counts, and a calendar that was ahead does not last.
func (l *Ledger) Begin(ctx context.Context, id tenant.ID, schedules []string, at time.Time) error {
	if err := errors.Join(checkTenant(id), checkTime("beginning", at)); err != nil {
		return err
	}
	if len(schedules) > maxTicks {
		return invalid("more than %d schedules", maxTicks)
	}
	for _, s := range schedules {
		if err := checkName("schedule", s, maxCode); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	return dbError("begin schedules", l.inTransaction(ctx, func(tx *sql.Tx) error {
		for _, s := range schedules {
			_, err := tx.ExecContext(ctx, `INSERT INTO beginnings (tenant_id, schedule, at) VALUES ($1, $2, $3)
				ON CONFLICT (tenant_id, schedule) DO UPDATE SET at = excluded.at WHERE excluded.at < beginnings.at`,
				string(id), s, toMicros(at))
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Beginnings returns when each of the tenant's schedules began for which Begin was called.
func (l *Ledger) Beginnings(ctx context.Context, id tenant.ID) (map[string]time.Time, error) {
	if err := checkTenant(id); err != nil {
		return nil, err
	}
	return l.times(ctx, "read beginnings", `SELECT schedule, at FROM beginnings WHERE tenant_id = $1`, string(id))
}
