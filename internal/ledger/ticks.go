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
	maxTicks = 10_000 // largest number of ticks of one AddDue
	// ticksAtOnce is how many rows one INSERT writes. SQLite treats "$1" as a name and searches all
	// earlier names for it: the cost of parsing grows with the square of the rows, and beyond fifty
	// rows it exceeds what fewer statements save.
	ticksAtOnce = 50
)

// Tick is one instant at which a schedule demands work for a tenant.
type Tick struct {
	Schedule string // the schedule's name, a code
	Tenant   tenant.ID
	At       time.Time // UTC, truncated to microseconds
}

func (k Tick) check() error {
	return errors.Join(checkTenant(k.Tenant), checkName("schedule", k.Schedule, maxCode), checkTime("tick", k.At))
}

// AddDue records ticks as due and returns how many were new. An existing tick, due or sent, stays
// unchanged, so any number of schedulers may add the same ones. It adds all or none; an unknown
// tenant is ErrNotFound.
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
	// Schedulers that add the same ticks wait for one another's rows; a common order prevents a
	// deadlock.
	ticks = slices.SortedFunc(slices.Values(ticks), func(a, b Tick) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Schedule, b.Schedule), a.At.Compare(b.At))
	})
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	err = l.inTransaction(ctx, func(tx *sql.Tx) error {
		added = 0
		for chunk := range slices.Chunk(ticks, ticksAtOnce) {
			n, err := insertTicks(ctx, tx, chunk)
			if err != nil {
				return err
			}
			added += n
		}
		return nil
	})
	if err != nil {
		return 0, dbError("add due ticks", err)
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
		args = append(args, string(k.Tenant), k.Schedule, toMicros(k.At))
	}
	q.WriteString(` ON CONFLICT DO NOTHING`)
	result, err := tx.ExecContext(ctx, q.String(), args...)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// DeleteTicks removes the sent ticks from before the given time and returns how many. Due ticks
// stay, and so does the newest tick of every schedule, from which schedulers determine what they
// missed and never add an older one again.
func (l *Ledger) DeleteTicks(ctx context.Context, before time.Time) (int, error) {
	if err := checkTime("before", before); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	result, err := l.db.ExecContext(ctx, `DELETE FROM ticks WHERE sent_at IS NOT NULL AND at < $1 AND at < (
		SELECT MAX(newest.at) FROM ticks AS newest
		WHERE newest.tenant_id = ticks.tenant_id AND newest.schedule = ticks.schedule)`, toMicros(before))
	if err != nil {
		return 0, dbError("delete ticks", err)
	}
	n, err := result.RowsAffected()
	return int(n), dbError("delete ticks", err)
}

// Due returns up to limit unsent ticks, oldest first; at most 500, and 100 when limit is 0.
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
		return nil, dbError("list due ticks", err)
	}
	return collect("list due ticks", found, func(row *sql.Rows) (Tick, error) {
		var k Tick
		var at int64
		err := row.Scan(&k.Tenant, &k.Schedule, &at)
		k.At = fromMicros(at)
		return k, err
	})
}

// MarkSent records that the tick's work was enqueued at now. A repetition keeps the first time; a
// tick that was never added is ErrNotFound.
func (l *Ledger) MarkSent(ctx context.Context, k Tick, now time.Time) error {
	if err := errors.Join(k.check(), checkTime("now", now)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := changedRow(l.db.ExecContext(ctx, `UPDATE ticks SET sent_at = COALESCE(sent_at, $4)
		WHERE tenant_id = $1 AND schedule = $2 AND at = $3`, string(k.Tenant), k.Schedule, toMicros(k.At), toMicros(now)))
	if err == nil && !found {
		return fmt.Errorf("mark tick sent: %w", ErrNotFound)
	}
	return dbError("mark tick sent", err)
}

// LastTicks returns the newest tick, due or sent, of each of the tenant's schedules that has one.
// Schedulers determine from it what they missed.
func (l *Ledger) LastTicks(ctx context.Context, id tenant.ID) (map[string]time.Time, error) {
	if err := checkTenant(id); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT schedule, MAX(at) FROM ticks WHERE tenant_id = $1 GROUP BY schedule`, string(id))
	if err != nil {
		return nil, dbError("read last ticks", err)
	}
	rows, err := collect("read last ticks", found, func(row *sql.Rows) (Tick, error) {
		var k Tick
		var at int64
		err := row.Scan(&k.Schedule, &at)
		k.At = fromMicros(at)
		return k, err
	})
	last := make(map[string]time.Time, len(rows))
	for _, k := range rows {
		last[k.Schedule] = k.At
	}
	return last, err
}
