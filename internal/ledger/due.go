package ledger

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// maxNames is the largest number of names in a Sendable.
const maxNames = 500

// Sendable describes the ticks that a scheduler can send: those of its schedules, for practices in
// the ledger whose zone it knows.
type Sendable struct {
	Names        []string // of schedules
	UnknownZones []string // practices in these are left out
}

// DueFilter selects unsent ticks.
type DueFilter struct {
	Until time.Time // none after it; zero means any
	Only  *Sendable // nil means all
	Limit int       // at most 500; 0 means 100
}

// Due returns unsent ticks, oldest first.
func (l *Ledger) Due(ctx context.Context, f DueFilter) ([]Tick, error) {
	limit, err := pageSize(f.Limit)
	if err != nil {
		return nil, err
	}
	query, args := `SELECT tenant_id, schedule, at, added_at, COALESCE((SELECT times FROM early_ticks AS early
		WHERE early.tenant_id = ticks.tenant_id AND early.schedule = ticks.schedule AND early.at = ticks.at), 0)
		FROM ticks WHERE sent_at IS NULL`, []any{limit}
	if !f.Until.IsZero() {
		if err := checkTime("until", f.Until); err != nil {
			return nil, err
		}
		args = append(args, toMicros(f.Until))
		query += ` AND at <= $2`
	}
	if f.Only != nil {
		if err := f.Only.check(); err != nil {
			return nil, err
		}
		var only string
		only, args = f.Only.condition(args)
		query += ` AND ` + only
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := l.db.QueryContext(ctx, query+` ORDER BY at, tenant_id, schedule LIMIT $1`, args...)
	if err != nil {
		return nil, dbError("list due ticks", err)
	}
	return collect("list due ticks", found, scanTick)
}

func scanTick(row *sql.Rows) (Tick, error) {
	var k Tick
	var at, added int64
	err := row.Scan(&k.Tenant, &k.Schedule, &at, &added, &k.Recalls)
	k.At = fromMicros(at)
	if added != 0 {
		k.Added = fromMicros(added)
	}
	return k, err
}

// AbandonDue marks the unsent ticks that are not sendable as sent at now, if both their time and
// the time when they were added are not after until. It returns how many.
func (l *Ledger) AbandonDue(ctx context.Context, s Sendable, until, now time.Time) (int, error) {
	if err := errors.Join(s.check(), checkTime("until", until), checkTime("now", now)); err != nil {
		return 0, err
	}
	sendable, args := s.condition([]any{toMicros(until), toMicros(now)})
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	result, err := l.db.ExecContext(ctx, `UPDATE ticks SET sent_at = $2
		WHERE sent_at IS NULL AND at <= $1 AND added_at <= $1 AND NOT `+sendable, args...)
	return changedRows("abandon ticks", result, err)
}

func (s Sendable) check() error {
	if len(s.Names) == 0 || len(s.Names)+len(s.UnknownZones) > maxNames {
		return invalid("no names, or more than %d", maxNames)
	}
	for _, name := range slices.Concat(s.Names, s.UnknownZones) {
		if err := checkName("name", name, maxCode); err != nil {
			return err
		}
	}
	return nil
}

// condition returns the SQL condition that a tick is sendable, and args followed by its parameters.
func (s Sendable) condition(args []any) (string, []any) {
	var prefixes []string
	for _, name := range s.Names {
		args = append(args, name+"/")
		prefixes = append(prefixes, `(`+parameters(len(args), len(args))+`)`)
	}
	query := `EXISTS (WITH names (prefix) AS (VALUES ` + strings.Join(prefixes, ",") + `) SELECT 1 FROM names CROSS JOIN practices JOIN tenants ON tenants.id = practices.tenant_id
		WHERE practices.tenant_id = ticks.tenant_id AND substr(ticks.schedule, 1, length(names.prefix)) = names.prefix
		AND practices.id = substr(ticks.schedule, length(names.prefix) + 1)`
	if len(s.UnknownZones) > 0 {
		first := len(args) + 1
		for _, zone := range s.UnknownZones {
			args = append(args, zone)
		}
		query += ` AND COALESCE(NULLIF(practices.time_zone, ''), tenants.time_zone) NOT IN (` + parameters(first, len(args)) + `)`
	}
	return query + `)`, args
}
