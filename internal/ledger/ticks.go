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
	Schedule string // NAME/PRACTICE: a schedule's name without a slash, and the practice it is for
	Tenant   tenant.ID
	At       time.Time // UTC, truncated to microseconds
	// Added is the calendar's time when a scheduler added the tick; zero if an earlier release did.
	Added time.Time
	// Recalls is how often the tick was sent early and recalled. Only Due sets it.
	Recalls int
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
	ticks = slices.SortedFunc(slices.Values(ticks), compareTicks)
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

func compareTicks(a, b Tick) int {
	return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Schedule, b.Schedule), a.At.Compare(b.At))
}

func insertTicks(ctx context.Context, tx *sql.Tx, ticks []Tick) (int, error) {
	var q strings.Builder
	q.WriteString(`INSERT INTO ticks (tenant_id, schedule, at, added_at) VALUES `)
	args := make([]any, 0, 4*len(ticks))
	for i, k := range ticks {
		if i > 0 {
			q.WriteByte(',')
		}
		var added int64
		if !k.Added.IsZero() {
			added = toMicros(k.Added)
		}
		q.WriteString("(" + parameters(len(args)+1, len(args)+4) + ")")
		args = append(args, string(k.Tenant), k.Schedule, toMicros(k.At), added)
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
	var deleted int
	err := l.inTransaction(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM early_ticks WHERE at < $1`, toMicros(before)); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM ticks WHERE sent_at IS NOT NULL AND at < $1 AND at < (
			SELECT MAX(newest.at) FROM ticks AS newest
			WHERE newest.tenant_id = ticks.tenant_id AND newest.schedule = ticks.schedule)`, toMicros(before))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		deleted = int(n)
		return err
	})
	if err != nil {
		return 0, dbError("delete ticks", err)
	}
	return deleted, nil
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

// LastTicks returns the newest tick up to until, due or sent, of each of the tenant's schedules
// that has one. Schedulers determine from it what they missed.
func (l *Ledger) LastTicks(ctx context.Context, id tenant.ID, until time.Time) (map[string]time.Time, error) {
	if err := errors.Join(checkTenant(id), checkTime("until", until)); err != nil {
		return nil, err
	}
	return l.times(ctx, "read last ticks", `SELECT schedule, MAX(at) FROM ticks WHERE tenant_id = $1 AND at <= $2 GROUP BY schedule`,
		string(id), toMicros(until))
}

// times runs a query for names and times.
func (l *Ledger) times(ctx context.Context, operation, query string, args ...any) (map[string]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, dbError(operation, err)
	}
	all := map[string]time.Time{}
	_, err = collect(operation, found, func(row *sql.Rows) (string, error) {
		var name string
		var at int64
		err := row.Scan(&name, &at)
		all[name] = fromMicros(at)
		return name, err
	})
	return all, err
}
