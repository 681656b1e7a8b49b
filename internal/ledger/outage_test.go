package ledger

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const someTenant = tenant.ID("clinic-a")

// must runs statements on the ledger's own connection.
func (l *Ledger) must(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := l.db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

func wantOutage(t *testing.T, err error, code codes.Code) {
	t.Helper()
	if o := outage.Of(err); o == nil || o.Code() != code {
		t.Errorf("%v is %v, want %s", err, o, string(code))
	}
}

// use makes a write that every worker makes.
func (l *Ledger) use(ctx context.Context) error {
	return l.Advance(ctx, someTenant, "x", time.Now())
}

func TestFullAndReadOnlyLedgersAreOutages(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, someTenant)
		if l.dialect == SQLite {
			l.db.SetConnMaxIdleTime(0)
			l.must(t, "PRAGMA query_only = 1")
			wantOutage(t, l.use(t.Context()), codes.LedgerReadOnly)
			l.must(t, "PRAGMA query_only = 0", "PRAGMA max_page_count = 1")
			wantOutage(t, l.Bury(t.Context(), DeadLetter{TaskID: "x", DiedAt: noon, Payload: make([]byte, 60<<10)}), codes.LedgerFull)
			return
		}
		l.db.SetMaxOpenConns(1)
		l.must(t, "SET default_transaction_read_only = on")
		wantOutage(t, l.use(t.Context()), codes.LedgerReadOnly)
		l.must(t, "SET default_transaction_read_only = off",
			`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '53100'; END $$`,
			"CREATE TRIGGER no_room BEFORE INSERT ON watermarks EXECUTE FUNCTION no_room()")
		wantOutage(t, l.use(t.Context()), codes.LedgerFull)
	})
}

// pairs runs a test on a new ledger of each dialect that two processes have opened.
func pairs(t *testing.T, test func(t *testing.T, l, other *Ledger)) {
	t.Helper()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			path := address(t, dialect)
			l := open(t, path)
			if err := l.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			apply(t, l, someTenant)
			test(t, l, open(t, path))
		})
	}
}

func TestLockedFileIsOutage(t *testing.T) {
	t.Parallel()
	path := address(t, SQLite)
	l, other := open(t, path), open(t, path)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, l, someTenant)
	tx, err := other.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantOutage(t, l.use(t.Context()), codes.LedgerUnavailable)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := l.use(t.Context()); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

func TestFaultsOfCallersAreNoOutage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, someTenant)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, malformed := l.db.ExecContext(t.Context(), "SELECT nothing FROM nowhere")
		for _, err := range []error{
			l.Advance(t.Context(), "clinic-b", "x", noon), // no such tenant
			l.use(canceled), dbError("x", malformed), dbError("x", sql.ErrNoRows), dbError("x", errors.New("y")),
		} {
			if o := outage.Of(err); err == nil || o != nil {
				t.Errorf("%v is %v", err, o)
			}
		}
	})
}

// What a run reads and writes ends by itself before the shortest attempt does, which takes 15 s at
// most. Otherwise a ledger that does not answer would look like an attempt that takes too long.
func TestHangingLedgerIsReportedBeforeAttemptsEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, someTenant)
		l.db.SetMaxOpenConns(1)
		only, err := l.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		limited, cancel := context.WithTimeoutCause(t.Context(), 12*time.Second, errors.New("took too long"))
		defer cancel()
		scope := AlertScope{Tenant: someTenant, Practice: "1"}
		calls := map[string]func() error{
			"Tenant":    func() error { _, err := l.Tenant(limited, someTenant); return err },
			"DataKey":   func() error { _, err := l.DataKey(limited, someTenant, nil); return err },
			"Watermark": func() error { _, _, err := l.Watermark(limited, someTenant, "x"); return err },
			"Advance":   func() error { return l.use(limited) },
			"Alerts":    func() error { _, err := l.Alerts(limited, AlertFilter{Tenant: someTenant}); return err },
			"SetAlerts": func() error { _, err := l.SetAlerts(limited, scope, nil, noon); return err },
			"Bury":      func() error { return l.Bury(limited, DeadLetter{TaskID: "x", DiedAt: noon}) },
		}
		var ended sync.WaitGroup
		for name, call := range calls {
			ended.Go(func() {
				err := call()
				if limited.Err() != nil {
					t.Errorf("%s waited until the caller's time was over", name)
				}
				if o := outage.Of(err); o == nil || o.Code() != codes.LedgerUnavailable {
					t.Errorf("%s: %v is no outage", name, err)
				}
			})
		}
		ended.Wait()
		if err := only.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A ledger that does not answer before the caller's time is over is an outage that the caller may
// have caused: its Error is slow.
func TestSlowLedgerIsOutage(t *testing.T) {
	t.Parallel()
	pairs(t, func(t *testing.T, l, other *Ledger) {
		tx, err := other.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), `UPDATE tenants SET time_zone = time_zone`); err != nil {
			t.Fatal(err)
		}
		if l.dialect == Postgres {
			if _, err := tx.ExecContext(t.Context(), `LOCK TABLE watermarks`); err != nil {
				t.Fatal(err)
			}
		}
		for name, use := range map[string]func(context.Context) error{
			"a statement": l.use,
			"a transaction": func(ctx context.Context) error {
				return dbError("x", l.inTransaction(ctx, func(tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, `INSERT INTO watermarks (tenant_id, name, at) VALUES ('clinic-a', 'y', 1)`)
					return err
				}))
			},
		} {
			limited, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			err = use(limited)
			cancel()
			wantOutage(t, err, codes.LedgerUnavailable)
			if o := outage.Of(err); o == nil || !o.Slow {
				t.Errorf("%s: %v is not slow", name, err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if err := l.use(t.Context()); err != nil {
			t.Errorf("after the lock: %v", err)
		}
	})
}

// The context of a transaction may end between its last statement and its commit.
func TestCommitAfterItsTimeIsOutage(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, someTenant)
		limited, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := l.inTransaction(limited, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(limited, `UPDATE tenants SET time_zone = time_zone`)
			<-limited.Done()
			_ = tx.Rollback() // as database/sql does
			return err
		})
		wantOutage(t, dbError("x", err), codes.LedgerUnavailable)
	})
}

func TestUnreachableServerIsOutage(t *testing.T) {
	t.Parallel()
	server := address(t, Postgres)
	_, err := open(t, server).db.ExecContext(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())")
	wantOutage(t, dbError("x", err), codes.LedgerUnavailable)
	_, err = Open(t.Context(), "postgres://u:p@127.0.0.1:1/none")
	wantOutage(t, err, codes.LedgerUnavailable)
	missing, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	missing.Path = "/restored-later"
	_, err = Open(t.Context(), missing.String())
	wantOutage(t, err, codes.LedgerUnavailable)
	limited := open(t, server)
	limited.db.SetMaxOpenConns(1)
	limited.must(t, "SET statement_timeout = '50ms'")
	_, err = limited.db.ExecContext(t.Context(), "SELECT pg_sleep(60)")
	err = dbError("x", err)
	wantOutage(t, err, codes.LedgerUnavailable)
}
