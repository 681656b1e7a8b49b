package ledger

import (
	"context"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// schemaLock is the PostgreSQL advisory lock that the migrating process holds ("rounds" and a
// version of the lock's use).
const schemaLock int64 = 0x726f756e64730001

// Migrate brings the schema to the version that this program expects. Any number of processes may
// call it at the same time: one migrates, the others wait. A schema that is newer than the program
// stays unchanged.
func (l *Ledger) Migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	provider, err := l.provider()
	if err != nil {
		return fmt.Errorf("migrate ledger: %w", err)
	}
	if l.dialect == Postgres {
		return dbError("migrate ledger", l.migrateLocked(ctx, provider))
	}
	return dbError("migrate ledger", migrateWithoutLock(ctx, provider))
}

func (l *Ledger) provider() (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectPostgres
	if l.dialect == SQLite {
		dialect = goose.DialectSQLite3
	}
	return goose.NewProvider(dialect, l.db, files, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// migrateLocked holds a session's advisory lock around all that goose does. goose's own lock does
// not cover its first check, which creates the version table, and polls once a second.
func (l *Ledger) migrateLocked(ctx context.Context, provider *goose.Provider) error {
	conn, err := l.db.Conn(ctx)
	if err != nil {
		return err
	}
	// Ending the session releases the lock even if an unlock could not be sent.
	defer func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) }()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", schemaLock); err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// migrateWithoutLock needs no lock: each migration and its version row are one immediate
// transaction, so of two processes that try the same one, the second fails without a change. It
// retries as long as another process makes progress.
func migrateWithoutLock(ctx context.Context, provider *goose.Provider) error {
	for {
		before, err := provider.GetDBVersion(ctx)
		if err != nil {
			return err
		}
		_, err = provider.Up(ctx)
		if err == nil {
			return nil
		}
		after, lookErr := provider.GetDBVersion(ctx)
		if lookErr != nil || after <= before {
			return errors.Join(err, lookErr)
		}
	}
}
