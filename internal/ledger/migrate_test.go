package ledger

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"golang.org/x/sync/errgroup"
)

func TestConcurrentMigrations(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			where := address(t, dialect)
			var all errgroup.Group
			for range 8 { // each with its own connections, like a process
				all.Go(func() error {
					l, err := Open(t.Context(), where)
					if err != nil {
						return err
					}
					if err := l.Migrate(t.Context()); err != nil {
						return err
					}
					return l.Close()
				})
			}
			if err := all.Wait(); err != nil {
				t.Fatal(err)
			}
			l := open(t, where)
			var times int
			row := l.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM goose_db_version WHERE version_id = 1")
			if err := row.Scan(&times); err != nil || times != 1 {
				t.Errorf("migration 1 was applied %d times (%v)", times, err)
			}
			apply(t, l, "clinic-a")
		})
	}
}

// The other process migrates between this one's version check and its attempt. Only the order of
// events distinguishes that failure from a real one.
func TestMigrateRetriesAfterALostRace(t *testing.T) {
	t.Parallel()
	where := address(t, SQLite)
	l, rival := open(t, where), open(t, where)
	for _, step := range []struct {
		name    string
		between func(context.Context) error
		lost    bool
	}{
		{"no progress elsewhere", func(context.Context) error { return nil }, false},
		{"the rival migrated", rival.Migrate, true},
	} {
		tries := 0
		up := &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
			tries++
			return errors.Join(step.between(ctx), errors.New("table exists"))
		}}
		provider, err := goose.NewProvider(goose.DialectSQLite3, l.db, nil, goose.WithDisableGlobalRegistry(true),
			goose.WithLogger(goose.NopLogger()), goose.WithGoMigrations(goose.NewGoMigration(1, up, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := migrateWithoutLock(t.Context(), provider); (err == nil) != step.lost || tries != 1 {
			t.Errorf("%s: %d tries, %v", step.name, tries, err)
		}
	}
	apply(t, l, "clinic-a")
}

func TestMigrateAgainKeepsRows(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		if err := l.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "tenants", len(must[[]Tenant](t)(l.Tenants(t.Context()))), 1)
	})
}

// The rows of the first release stay, with the tenant's zone for every practice.
func TestMigrateFromTheFirstSchema(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			l := open(t, address(t, dialect))
			provider := must[*goose.Provider](t)(l.provider())
			must[[]*goose.MigrationResult](t)(provider.UpTo(t.Context(), 1))
			for _, query := range []string{
				`INSERT INTO tenants (id, time_zone, hours, credentials) VALUES ('clinic-a', 'America/Chicago', '{}', 'x')`,
				`INSERT INTO practices (tenant_id, id, name) VALUES ('clinic-a', '7', 'Nord')`,
			} {
				if _, err := l.db.ExecContext(t.Context(), query); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := must[Tenant](t)(l.Tenant(t.Context(), "clinic-a"))
			equal(t, "practices", got.Practices, []Practice{{ID: "7", Name: "Nord"}})
			equal(t, "zone", got.ZoneOf(got.Practices[0]), "America/Chicago")
		})
	}
}

// A program that is rolled back finds the schema of its successor.
func TestMigrateKeepsANewerSchema(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		applied := any(true)
		if l.Dialect() == SQLite {
			applied = 1
		}
		_, err := l.db.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, $1)", applied)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A schema that cannot be migrated is reported and not retried forever.
func TestMigrateFailsOnAForeignSchema(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			l := open(t, address(t, dialect))
			if _, err := l.db.ExecContext(t.Context(), "CREATE TABLE tenants (other TEXT)"); err != nil {
				t.Fatal(err)
			}
			err := l.Migrate(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), "migrate ledger: sql") {
				t.Errorf("Migrate = %v, want an error with the database's code", err)
			}
		})
	}
}

func TestMigrateReleasesItsLock(t *testing.T) {
	t.Parallel()
	where := address(t, Postgres)
	l, other := open(t, where), open(t, where)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	if _, err := other.db.ExecContext(ctx, "SELECT pg_advisory_lock($1)", schemaLock); err != nil {
		t.Errorf("the lock is still held: %v", err)
	}
}
