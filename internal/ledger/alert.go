package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	// maxAlerts bounds the alerts of a tenant. What exceeds it is replaced by one alert with the
	// code AlertsCut.
	maxAlerts = 1000
	// maxAlertRows is the largest count of an alert. Larger ones are stored as this.
	maxAlertRows = 1 << 30
	// renewAfter is how old LastSeen becomes before an alert that has not changed is written again.
	renewAfter = time.Hour
)

// Alert is one thing that operators must know about a practice's data.
type Alert struct {
	Tenant   tenant.ID
	Practice string     // the vendor's number; "" for the whole account
	Day      civil.Date // zero for what belongs to no day
	Code     codes.Code
	Rows     int       // how many of the vendor's rows are concerned; 0 where none can be counted
	First    time.Time // when it was first seen
	Last     time.Time // when it was last seen, up to an hour late
}

// AlertScope is what a caller can decide about: each alert in it either was found or is over.
type AlertScope struct {
	Tenant   tenant.ID
	Practice string // "" for what belongs to the whole account
	// From and To are the first and the last day. Both are zero for alerts that belong to no day.
	From, To civil.Date
	// Codes are the codes that the caller decides about. Empty means all.
	Codes []codes.Code
}

// SetAlerts stores the alerts that were found in a scope and removes the others in it, which are
// over. Of a found alert only Day, Code and Rows are read; a repeated one counts the sum of its
// rows. changed reports whether an alert appeared, ended or has another count.
//
// The ledger is written only if something changed, or if the last writing of an alert is an hour
// old. A tenant has at most a thousand alerts; further ones are not stored, and one alert with the
// code AlertsCut says so. An unknown tenant is ErrNotFound.
func (l *Ledger) SetAlerts(ctx context.Context, s AlertScope, found []Alert, now time.Time) (changed bool, err error) {
	if err := errors.Join(s.check(), checkTime("now", now)); err != nil {
		return false, err
	}
	want := map[alertKey]int{}
	for _, a := range found {
		if err := s.accepts(a); err != nil {
			return false, err
		}
		k := alertKey{a.Day.String(), a.Code}
		want[k] = min(want[k]+a.Rows, maxAlertRows)
	}
	known, err := l.alertsIn(ctx, s)
	if err != nil {
		return false, err
	}
	writes := compareAlerts(known, want, now)
	if len(writes) == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = l.inTransaction(ctx, func(tx *sql.Tx) error {
		changed, err = writeAlerts(ctx, tx, s, writes, now)
		return err
	})
	if err != nil {
		return false, dbError("set alerts", err)
	}
	return changed, nil
}

func (s AlertScope) check() error {
	err := errors.Join(checkTenant(s.Tenant), checkText("practice's id", s.Practice, maxCode))
	if s.From.IsZero() != s.To.IsZero() || s.To.Compare(s.From) < 0 {
		err = errors.Join(err, invalid("the days of alerts are not a range"))
	}
	for _, c := range s.Codes {
		if !c.Valid() {
			err = errors.Join(err, invalid("an alert's code is not a code"))
		}
	}
	return err
}

// accepts refuses an alert outside the scope, which no later call with the same scope would remove.
func (s AlertScope) accepts(a Alert) error {
	switch {
	case !a.Code.Valid() || len(s.Codes) > 0 && !slices.Contains(s.Codes, a.Code):
		return invalid("an alert's code is not one of its scope")
	case a.Day.Compare(s.From) < 0 || a.Day.Compare(s.To) > 0:
		return invalid("an alert's day is not one of its scope")
	case a.Rows < 0:
		return invalid("an alert's rows are negative")
	}
	return nil
}

// alertKey tells the alerts of one practice apart.
type alertKey struct {
	day  string
	code codes.Code
}

// What becomes of a stored alert.
const (
	addAlert = iota
	countAlert
	renewAlert
	removeAlert
)

type alertWrite struct {
	alertKey
	kind, rows int
}

// compareAlerts returns what to write, in an order that all callers share: two of them that write
// the same rows must not wait for one another.
func compareAlerts(known []Alert, want map[alertKey]int, now time.Time) []alertWrite {
	var writes []alertWrite
	for _, a := range known {
		k := alertKey{a.Day.String(), a.Code}
		rows, lasts := want[k]
		delete(want, k)
		switch {
		case !lasts:
			writes = append(writes, alertWrite{k, removeAlert, 0})
		case rows != a.Rows:
			writes = append(writes, alertWrite{k, countAlert, rows})
		case now.Sub(a.Last) >= renewAfter:
			writes = append(writes, alertWrite{k, renewAlert, rows})
		}
	}
	for k, rows := range want {
		writes = append(writes, alertWrite{k, addAlert, rows})
	}
	slices.SortFunc(writes, func(a, b alertWrite) int {
		return cmp.Or(strings.Compare(a.day, b.day), cmp.Compare(a.code, b.code))
	})
	return writes
}

// writeAlerts inserts new alerts only while there is room, and reports whether anything but the
// time of an alert was written. Concurrent callers may exceed the bound by what each of them adds
// at that moment. The alert that there are more ends once there is room.
func writeAlerts(ctx context.Context, tx *sql.Tx, s AlertScope, writes []alertWrite, now time.Time) (changed bool, err error) {
	id, at := string(s.Tenant), toMicros(now)
	var stored int
	row := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM alerts WHERE tenant_id = $1 AND code <> $2`, id, string(codes.AlertsCut))
	if err := row.Scan(&stored); err != nil {
		return false, err
	}
	for _, w := range writes {
		if w.kind == removeAlert {
			stored--
		}
	}
	cut := false
	for _, w := range writes {
		if w.kind == addAlert {
			if stored >= maxAlerts {
				cut = true
				continue
			}
			stored++
		}
		written, err := writeAlert(ctx, tx, s, w, at)
		if err != nil {
			return false, err
		}
		changed = changed || written && w.kind != renewAlert
	}
	marker := alertWrite{alertKey{"", codes.AlertsCut}, removeAlert, 0}
	switch {
	case cut:
		marker.kind = addAlert
	case stored >= maxAlerts:
		return changed, nil
	}
	marked, err := writeAlert(ctx, tx, AlertScope{Tenant: s.Tenant}, marker, at)
	return changed || marked, err
}

func writeAlert(ctx context.Context, tx *sql.Tx, s AlertScope, w alertWrite, at int64) (written bool, err error) {
	const key = ` WHERE tenant_id = $1 AND practice_id = $2 AND day = $3 AND code = $4`
	args := []any{string(s.Tenant), s.Practice, w.day, string(w.code)}
	var result sql.Result
	switch w.kind {
	case removeAlert:
		result, err = tx.ExecContext(ctx, `DELETE FROM alerts`+key, args...)
	case countAlert, renewAlert:
		result, err = tx.ExecContext(ctx, `UPDATE alerts SET rows = $5, last_seen = $6`+key, append(args, w.rows, at)...)
	case addAlert:
		result, err = tx.ExecContext(ctx, `INSERT INTO alerts (tenant_id, practice_id, day, code, rows, first_seen, last_seen)
			VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (tenant_id, practice_id, day, code) DO UPDATE
			SET rows = excluded.rows, last_seen = excluded.last_seen WHERE alerts.rows <> excluded.rows`, append(args, w.rows, at)...)
	}
	return changedRow(result, err)
}

// DeleteAlerts removes the alerts of days that were last seen before the given time: these days are
// no longer read. It returns how many. Alerts that belong to no day stay until they are over.
func (l *Ledger) DeleteAlerts(ctx context.Context, before time.Time) (int, error) {
	if err := checkTime("before", before); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	result, err := l.db.ExecContext(ctx, `DELETE FROM alerts WHERE day <> '' AND last_seen < $1`, toMicros(before))
	return changedRows("delete alerts", result, err)
}
