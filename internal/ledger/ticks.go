package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	maxTicks      = 10_000 // ticks that one AddDue takes
	ticksAtOnce   = 500    // rows of one INSERT; three parameters each stays far below both databases' limits
	sentTicksKept = 7 * 24 * time.Hour
)

// Tick is one instant at which a schedule demands work of a tenant.
type Tick struct {
	Schedule string // the schedule's name, a code
	Tenant   tenant.ID
	At       time.Time // UTC, cut to microseconds
}

func (k Tick) check() error {
	return errors.Join(checkTenant(k.Tenant), checkName("schedule", k.Schedule, maxCode), checkTime("tick", k.At))
}

// AddDue records ticks as due and returns how many were new. A tick that is known, due or sent, stays as it is, so any
// number of schedulers may add the same ones. All are added or none; an unknown tenant is ErrNotFound.
//
// It also forgets ticks of the same tenants and schedules that were sent and are a week older than the oldest given for
// them: far more than any retry looks back, and the table stays small.
func (l *Ledger) AddDue(ctx context.Context, ticks []Tick) (added int, err error) {
	if len(ticks) == 0 {
		return 0, nil
	}
	if len(ticks) > maxTicks {
		return 0, invalid("more than %d ticks", maxTicks)
	}
	for _, k := range ticks {
		if err := k.check(); err != nil {
			return 0, err
		}
	}
	// Schedulers that add the same ticks wait for one another's rows; one order for all keeps them from a deadlock.
	ticks = slices.SortedFunc(slices.Values(ticks), func(a, b Tick) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Schedule, b.Schedule), a.At.Compare(b.At))
	})
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	err = l.atomically(ctx, func(tx *sql.Tx) error {
		added = 0
		for chunk := range slices.Chunk(ticks, ticksAtOnce) {
			n, err := insertTicks(ctx, tx, chunk)
			if err != nil {
				return err
			}
			added += n
		}
		return forgetTicks(ctx, tx, ticks)
	})
	if err != nil {
		return 0, fault("add due ticks", err)
	}
	return added, nil
}

func insertTicks(ctx context.Context, tx *sql.Tx, ticks []Tick) (int, error) {
	var q strings.Builder
	q.WriteString(`INSERT INTO ticks (tenant_id, schedule, at) VALUES `)
	args := make([]any, 0, 3*len(ticks))
	for i, k := range ticks {
		if i > 0 {
			q.WriteByte(',')
		}
		q.WriteString("(" + parameters(len(args)+1, len(args)+3) + ")")
		args = append(args, string(k.Tenant), k.Schedule, stored(k.At))
	}
	q.WriteString(` ON CONFLICT DO NOTHING`)
	result, err := tx.ExecContext(ctx, q.String(), args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// forgetTicks expects the order of AddDue: the first of each tenant and schedule is the oldest given for it.
func forgetTicks(ctx context.Context, tx *sql.Tx, ticks []Tick) error {
	for i, k := range ticks {
		if i > 0 && ticks[i-1].Tenant == k.Tenant && ticks[i-1].Schedule == k.Schedule {
			continue
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM ticks WHERE tenant_id = $1 AND schedule = $2 AND at < $3 AND sent_at IS NOT NULL`,
			string(k.Tenant), k.Schedule, stored(k.At.Add(-sentTicksKept)))
		if err != nil {
			return err
		}
	}
	return nil
}

// Due returns up to limit ticks that are not sent, oldest first; at most 500, and 100 when limit is 0.
func (l *Ledger) Due(ctx context.Context, limit int) ([]Tick, error) {
	limit, err := pageSize(limit)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT tenant_id, schedule, at FROM ticks WHERE sent_at IS NULL
		ORDER BY at, tenant_id, schedule LIMIT $1`, limit)
	if err != nil {
		return nil, fault("list due ticks", err)
	}
	return collect("list due ticks", found, func(row *sql.Rows) (Tick, error) {
		var k Tick
		var at int64
		err := row.Scan(&k.Tenant, &k.Schedule, &at)
		k.At = restored(at)
		return k, err
	})
}

// MarkSent records that the tick's work was enqueued at now. The first time stays; a tick that was never added is
// ErrNotFound.
func (l *Ledger) MarkSent(ctx context.Context, k Tick, now time.Time) error {
	if err := errors.Join(k.check(), checkTime("now", now)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	known, err := wrote(l.db.ExecContext(ctx, `UPDATE ticks SET sent_at = COALESCE(sent_at, $4)
		WHERE tenant_id = $1 AND schedule = $2 AND at = $3`, string(k.Tenant), k.Schedule, stored(k.At), stored(now)))
	if err == nil && !known {
		return fmt.Errorf("mark tick sent: %w", ErrNotFound)
	}
	return fault("mark tick sent", err)
}

// LastTick returns the newest tick of a schedule, due or sent, and false when there never was one. From there a scheduler
// knows what it missed.
func (l *Ledger) LastTick(ctx context.Context, id tenant.ID, schedule string) (time.Time, bool, error) {
	if err := errors.Join(checkTenant(id), checkName("schedule", schedule, maxCode)); err != nil {
		return time.Time{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var at sql.NullInt64
	row := l.db.QueryRowContext(ctx, `SELECT MAX(at) FROM ticks WHERE tenant_id = $1 AND schedule = $2`, string(id), schedule)
	if err := row.Scan(&at); err != nil || !at.Valid {
		return time.Time{}, false, fault("read last tick", err)
	}
	return restored(at.Int64), true, nil
}
