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

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
)

const (
	maxTenants     = 10_000
	maxPractices   = 500      // per tenant
	maxCredentials = 16 << 10 // bytes, sealed
	maxPracticeID  = 100      // bytes, so that the names of its ticks fit
	maxWeight      = 100
)

// Tenant is one account at the vendor with its operator's settings.
type Tenant struct {
	ID          tenant.ID
	TimeZone    string     // IANA name ("America/Chicago"), for practices without their own
	Hours       Hours      // opening hours of each practice, in its zone
	Credentials []byte     // the account's credentials, sealed; compared as bytes, so seal them again only after a change
	Practices   []Practice // ordered by ID when read
	// Weight is the tenant's share of the workers while others compete for them, relative to
	// theirs: 1 to 100. ApplyTenants takes 0 as 1.
	Weight int
}

// Practice is one practice of a tenant.
type Practice struct {
	ID   string // the vendor's number for the practice
	Name string // the practice's name at the vendor, as requests must contain it
	// TimeZone is an IANA name; "" means the tenant's.
	TimeZone string
	// Configured is the name in the tenant's settings, if another one was adopted since; else "".
	// ApplyTenants ignores it.
	Configured string
}

// ZoneOf returns the name of the time zone that a practice of the tenant is in.
func (t Tenant) ZoneOf(p Practice) string { return cmp.Or(p.TimeZone, t.TimeZone) }

// ApplyTenants writes the given tenants in one transaction and returns how many were new or
// changed. Unchanged rows are not written. The list of a tenant's practices is complete: a practice
// missing from it is removed, with its alerts. A name that was adopted stays until the settings
// have another name than the one that it replaced (AdoptName). The list of tenants is not complete:
// a missing tenant stays, since removing one destroys the key of all its cached values, and a
// truncated file must not cause that.
//
// One ErrInvalid names every unacceptable tenant by its ID; nothing is written then.
func (l *Ledger) ApplyTenants(ctx context.Context, tenants []Tenant) (changed int, err error) {
	if err := checkTenants(tenants); err != nil {
		return 0, err
	}
	// Processes that start together apply the same file; a common order prevents a deadlock.
	tenants = slices.SortedFunc(slices.Values(tenants), func(a, b Tenant) int {
		return strings.Compare(string(a.ID), string(b.ID))
	})
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	err = l.inTransaction(ctx, func(tx *sql.Tx) error {
		changed = 0
		for _, t := range tenants {
			different, err := applyTenant(ctx, tx, t)
			if err != nil {
				return err
			}
			if different {
				changed++
			}
		}
		return nil
	})
	if err != nil {
		return 0, dbError("apply tenants", err)
	}
	return changed, nil
}

// applyTenant writes the tenant's row first: PostgreSQL locks it even if the condition prevents the
// write, so two processes never interleave within one tenant.
func applyTenant(ctx context.Context, tx *sql.Tx, t Tenant) (different bool, err error) {
	hours, err := encodeObject(t.Hours)
	if err != nil {
		return false, err
	}
	different, err = changedRow(tx.ExecContext(ctx, `INSERT INTO tenants (id, time_zone, hours, credentials, weight) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (id) DO UPDATE
		SET time_zone = excluded.time_zone, hours = excluded.hours, credentials = excluded.credentials, weight = excluded.weight
		WHERE tenants.time_zone <> excluded.time_zone OR tenants.hours <> excluded.hours
			OR tenants.credentials <> excluded.credentials OR tenants.weight <> excluded.weight`,
		string(t.ID), t.TimeZone, hours, notNull(t.Credentials), cmp.Or(t.Weight, 1)))
	if err != nil {
		return false, err
	}
	kept := make([]any, 0, 1+len(t.Practices))
	kept = append(kept, string(t.ID))
	for _, p := range t.Practices {
		kept = append(kept, p.ID)
		edited, err := applyPractice(ctx, tx, t.ID, p)
		if err != nil {
			return false, err
		}
		different = different || edited
	}
	removed, err := changedRow(tx.ExecContext(ctx, `DELETE FROM practices WHERE tenant_id = $1`+notIn(kept), kept...))
	if removed && err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM alerts WHERE tenant_id = $1 AND practice_id <> ''
			AND practice_id NOT IN (SELECT id FROM practices WHERE tenant_id = $1)`, string(t.ID))
	}
	return different || removed, err
}

// applyPractice ends the alert about a practice's name if the name is edited: the next check of the
// name decides.
func applyPractice(ctx context.Context, tx *sql.Tx, id tenant.ID, p Practice) (edited bool, err error) {
	_, err = tx.ExecContext(ctx, `DELETE FROM alerts WHERE tenant_id = $1 AND practice_id = $2 AND code = $3
		AND EXISTS (SELECT 1 FROM practices WHERE tenant_id = $1 AND id = $2 AND name <> $4)`,
		string(id), p.ID, string(codes.PracticeRenamed), p.Name)
	if err != nil {
		return false, err
	}
	return changedRow(tx.ExecContext(ctx, `INSERT INTO practices (tenant_id, id, name, time_zone) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone,
			adopted = CASE WHEN practices.name = excluded.name THEN practices.adopted ELSE '' END
		WHERE practices.name <> excluded.name OR practices.time_zone <> excluded.time_zone`,
		string(id), p.ID, p.Name, p.TimeZone))
}

// notIn returns the condition that the id differs from all parameters after the first.
func notIn(args []any) string {
	if len(args) < 2 {
		return ""
	}
	return " AND id NOT IN (" + parameters(2, len(args)) + ")"
}

// Tenants returns all tenants in order of their IDs.
func (l *Ledger) Tenants(ctx context.Context) ([]Tenant, error) {
	return l.tenants(ctx, batchTimeout, "")
}

// Tenant returns one tenant, or ErrNotFound.
func (l *Ledger) Tenant(ctx context.Context, id tenant.ID) (Tenant, error) {
	if err := checkTenant(id); err != nil {
		return Tenant{}, err
	}
	found, err := l.tenants(ctx, callTimeout, `WHERE t.id = $1`, string(id))
	if err != nil {
		return Tenant{}, err
	}
	if len(found) == 0 {
		return Tenant{}, fmt.Errorf("tenant: %w", ErrNotFound)
	}
	return found[0], nil
}

// tenants reads tenants and practices in one statement, so that the result is consistent. It sorts
// them itself: the two databases sort text differently.
func (l *Ledger) tenants(ctx context.Context, limit time.Duration, where string, args ...any) ([]Tenant, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found, err := l.db.QueryContext(ctx, `SELECT t.id, t.time_zone, t.hours, t.credentials, t.weight, p.id, p.name, p.time_zone, p.adopted
		FROM tenants t LEFT JOIN practices p ON p.tenant_id = t.id `+where, args...)
	if err != nil {
		return nil, dbError("read tenants", err)
	}
	joined, err := collect("read tenants", found, scanTenant)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(joined, func(a, b Tenant) int { return strings.Compare(string(a.ID), string(b.ID)) })
	var all []Tenant
	for _, t := range joined {
		if last := len(all) - 1; last >= 0 && all[last].ID == t.ID {
			all[last].Practices = append(all[last].Practices, t.Practices...)
			continue
		}
		all = append(all, t)
	}
	for _, t := range all {
		slices.SortFunc(t.Practices, func(a, b Practice) int { return strings.Compare(a.ID, b.ID) })
	}
	return all, nil
}

// scanTenant reads a tenant with at most one of its practices.
func scanTenant(row *sql.Rows) (Tenant, error) {
	var t Tenant
	var hours string
	var practice, name, own, adopted sql.NullString
	if err := row.Scan(&t.ID, &t.TimeZone, &hours, &t.Credentials, &t.Weight, &practice, &name, &own, &adopted); err != nil {
		return Tenant{}, err
	}
	if practice.Valid {
		p := Practice{ID: practice.String, Name: name.String, TimeZone: own.String}
		if adopted.String != "" {
			p.Name, p.Configured = adopted.String, name.String
		}
		t.Practices = []Practice{p}
	}
	t.Credentials = nilIfEmpty(t.Credentials)
	m, err := decodeObject(hours)
	t.Hours = m
	return t, err
}

func checkTenants(tenants []Tenant) error {
	if len(tenants) > maxTenants {
		return invalid("more than %d tenants", maxTenants)
	}
	var problems []error
	seen := make(map[tenant.ID]bool, len(tenants))
	for i, t := range tenants {
		if err := checkTenant(t.ID); err != nil {
			problems = append(problems, fmt.Errorf("tenant number %d: %w", i+1, err))
			continue
		}
		if seen[t.ID] {
			problems = append(problems, fmt.Errorf("tenant %s: %w", t.ID, invalid("listed twice")))
			continue
		}
		seen[t.ID] = true
		if err := t.check(); err != nil {
			problems = append(problems, fmt.Errorf("tenant %s: %w", t.ID, err))
		}
	}
	return errors.Join(problems...)
}

func (t Tenant) check() error {
	err := errors.Join(checkZone(t.TimeZone), t.Hours.check(), checkBytes("credentials", t.Credentials, maxCredentials))
	if t.Weight < 0 || t.Weight > maxWeight {
		err = errors.Join(err, invalid("weight is not 1 to %d", maxWeight))
	}
	if len(t.Practices) > maxPractices {
		return errors.Join(err, invalid("more than %d practices", maxPractices))
	}
	seen := make(map[string]bool, len(t.Practices))
	for _, p := range t.Practices {
		err = errors.Join(err, checkName("practice's id", p.ID, maxPracticeID), checkName("practice's name", p.Name, maxCode))
		if p.TimeZone != "" {
			err = errors.Join(err, checkZone(p.TimeZone))
		}
		if seen[p.ID] {
			err = errors.Join(err, invalid("a practice is listed twice"))
		}
		seen[p.ID] = true
	}
	return err
}

// checkZone rejects names that mean different zones on different machines.
func checkZone(name string) error {
	if _, err := zone.Load(name); err != nil {
		return invalid("time zone is not an IANA name, or this machine has no zone data")
	}
	return nil
}
