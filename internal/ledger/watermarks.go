package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Watermark returns the instant up to which the tenant's named source has been read, and false if
// there is none. The name is a code ("appointments:7"): it must not contain an identifier of a
// person.
func (l *Ledger) Watermark(ctx context.Context, id tenant.ID, name string) (time.Time, bool, error) {
	if err := checkWatermark(id, name); err != nil {
		return time.Time{}, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var at int64
	row := l.db.QueryRowContext(ctx, `SELECT at FROM watermarks WHERE tenant_id = $1 AND name = $2`, string(id), name)
	switch err := row.Scan(&at); {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, false, nil
	case err != nil:
		return time.Time{}, false, dbError("read watermark", err)
	}
	return fromMicros(at), true, nil
}

// Advance moves a watermark forward to an instant. Moving it back, or to its present value, changes
// nothing and is not an error: of two syncs that end in any order, the one that read further wins.
// It returns ErrNotFound for an unknown tenant.
func (l *Ledger) Advance(ctx context.Context, id tenant.ID, name string, to time.Time) error {
	if err := errors.Join(checkWatermark(id, name), checkTime("watermark", to)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.db.ExecContext(ctx, `INSERT INTO watermarks (tenant_id, name, at) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, name) DO UPDATE SET at = excluded.at WHERE excluded.at > watermarks.at`,
		string(id), name, toMicros(to))
	return dbError("advance watermark", err)
}

func checkWatermark(id tenant.ID, name string) error {
	return errors.Join(checkTenant(id), checkName("watermark's name", name, maxCode))
}
