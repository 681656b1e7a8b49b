package ledger

import (
	"context"
	"database/sql"
	"slices"
	"time"
)

// RecallTicks removes the sent ticks after the given time and returns how many. A scheduler whose
// calendar was ahead sent them before their time. They can be added again when they are due, and
// Due then returns how often they were recalled.
func (l *Ledger) RecallTicks(ctx context.Context, after time.Time) (int, error) {
	if err := checkTime("after", after); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	var recalled int
	err := l.inTransaction(ctx, func(tx *sql.Tx) error {
		deleted, err := tx.QueryContext(ctx, `DELETE FROM ticks WHERE sent_at IS NOT NULL AND at > $1
			RETURNING tenant_id, schedule, at, added_at, 0`, toMicros(after))
		if err != nil {
			return err
		}
		ticks, err := collect("recall ticks", deleted, scanTick)
		if err != nil {
			return err
		}
		recalled = len(ticks)
		slices.SortFunc(ticks, compareTicks)
		for _, k := range ticks {
			_, err := tx.ExecContext(ctx, `INSERT INTO early_ticks (tenant_id, schedule, at, times) VALUES ($1, $2, $3, 1)
				ON CONFLICT (tenant_id, schedule, at) DO UPDATE SET times = early_ticks.times + 1`,
				string(k.Tenant), k.Schedule, toMicros(k.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, dbError("recall ticks", err)
	}
	return recalled, nil
}
