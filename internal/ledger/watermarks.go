package ledger

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Watermark returns up to when the tenant's named source has been read, and false when it never was. The name is a code
// ("appointments:7"): it must not hold an identifier of a person.
func (l *Ledger) Watermark(ctx context.Context, id tenant.ID, name string) (time.Time, bool, error) {
	if err := checkMark(id, name); err != nil {
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
		return time.Time{}, false, fault("read watermark", err)
	}
	return restored(at), true, nil
}

// Advance moves a watermark to an instant. Moving it back, or to where it is, changes nothing and is no error: of two
// syncs that end in any order, the one that read further wins. It returns ErrNotFound for an unknown tenant.
func (l *Ledger) Advance(ctx context.Context, id tenant.ID, name string, to time.Time) error {
	if err := errors.Join(checkMark(id, name), checkTime("watermark", to)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.db.ExecContext(ctx, `INSERT INTO watermarks (tenant_id, name, at) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, name) DO UPDATE SET at = excluded.at WHERE excluded.at > watermarks.at`,
		string(id), name, stored(to))
	return fault("advance watermark", err)
}

func checkMark(id tenant.ID, name string) error {
	return errors.Join(checkTenant(id), checkName("watermark's name", name, maxCode))
}
