package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/pgtest"
)

const secret = "hunter2-secret"

func TestOpenRejectsUnknownAddresses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"",
		"ledger.db",
		secret,
		"mysql://u:" + secret + "@h/d",
		"postgres://",
		"postgres://u:" + secret + "@h",
		"postgres://u:" + secret + "@h/",
		"postgres:///d?password=" + secret,
		"postgres://u:" + secret + "@h:port/d",
		"postgres://u:" + secret + "%zz@h/d",
		"postgres://u:" + secret + "@h/d?sslmode=" + secret,
		"postgres://u:" + secret + "@h/d?sslrootcert=/nowhere/" + secret + "&sslmode=verify-full",
		"postgres://u:" + secret + "@h/d?connect_timeout=" + secret,
		"host=h password=" + secret + " dbname=d",
		"sqlite:",
		"sqlite::memory:",
		"sqlite:file:x?mode=memory",
		"sqlite://relative/" + secret,
		"sqlite:/tmp/x.db?_pragma=" + secret,
		"sqlite:/tmp/\x00" + secret,
	} {
		l, err := Open(t.Context(), address)
		if !errors.Is(err, ErrURL) {
			t.Errorf("Open(%q) = %v, %v; want ErrURL", address, l, err)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Open(%q): the error contains the secret: %v", address, err)
		}
	}
}

func TestOpenReportsWhyTheDatabaseIsUnreachable(t *testing.T) {
	t.Parallel()
	shut := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")) // its port is free after Close
	refused := shut.Addr().String()
	if err := shut.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"postgres://u:" + secret + "@" + refused + "/d":                   "connection refused",
		"postgres://u:" + secret + "@" + refused + "/d?connect_timeout=1": "connection refused",
		"sqlite:" + filepath.Join(t.TempDir(), "no-such-folder", secret):  "no such file",
		"sqlite:" + t.TempDir():                                          "directory",
		strings.Replace(pgtest.URL(t), "?", secret+"?", 1):               "sqlstate 3D000",
		"postgres://stranger:" + secret + "@" + afterUser(pgtest.URL(t)): "sqlstate 28000",
		"sqlite:" + garbage(t):                                           "sqlite code 26",
	} {
		_, err := Open(t.Context(), address)
		if err == nil || errors.Is(err, ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want %q in it", address, err, want)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Open(%q): the error contains the secret: %v", address, err)
		}
	}
}

func afterUser(address string) string {
	_, rest, _ := strings.Cut(address, "@")
	return rest
}

func garbage(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notes.txt")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A server that accepts connections and never answers must not block a process for longer than Open
// documents.
func TestOpenStopsWithItsContext(t *testing.T) {
	t.Parallel()
	mute := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")) // closed below
	defer func() { _ = mute.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := mute.Accept()
		cancel() // the client is waiting for an answer now
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	_, err := Open(ctx, "postgres://u:"+secret+"@"+mute.Addr().String()+"/d?sslmode=disable")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want context.Canceled", err)
	}
}

func TestOpenSetsFileModeAndPragmas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20c.db")
	l := open(t, "sqlite:"+path)
	equal(t, "dialect", l.Dialect(), SQLite)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600 and the same name", info, err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "4000"} {
		var got string
		if err := l.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		equal(t, pragma, got, want)
	}
}

func TestPingAndClose(t *testing.T) {
	t.Parallel()
	for _, dialect := range dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			l := open(t, address(t, dialect))
			equal(t, "dialect", l.Dialect(), dialect)
			if err := l.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			if err := errors.Join(l.Close(), l.Close()); err != nil {
				t.Errorf("closing twice: %v", err)
			}
			if err := l.Ping(t.Context()); err == nil {
				t.Error("no error from a closed ledger")
			}
		})
	}
}

func TestCallsReturnContextErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		tick := Tick{Tenant: "clinic-a", Schedule: "s", At: noon}
		_, due := l.Due(over, DueFilter{})
		_, add := l.AddDue(over, []Tick{tick})
		_, last := l.LastTicks(over, "clinic-a", noon)
		_, _, mark := l.Watermark(over, "clinic-a", "w")
		_, tenants := l.Tenants(over)
		_, changed := l.ApplyTenants(over, []Tenant{{ID: "clinic-b", TimeZone: "UTC"}})
		_, list := l.DeadLetters(over, Filter{})
		_, counts := l.Counts(over)
		_, key := l.DataKey(over, "clinic-a", nil)
		for i, err := range []error{
			due, add, last, mark, tenants, changed, list, counts, key, l.Ping(over), l.MarkSent(over, tick, noon),
			l.Advance(over, "clinic-a", "w", noon), l.Bury(over, deadLetter("t1")), l.Resolve(over, "t1", StateResolved), l.Migrate(over),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("call %d = %v, want context.Canceled", i, err)
			}
		}
		equal(t, "tenants afterwards", len(must[[]Tenant](t)(l.Tenants(t.Context()))), 1)
	})
}

// The database's own messages contain values; an error must not.
func TestErrorsContainOnlyCodes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		for _, statement := range []string{
			"INSERT INTO dead_letters (state) VALUES ('" + secret + "')",
			"SELECT '" + secret + "' FROM nowhere",
			"SELECT " + strings.ReplaceAll(secret, "-", "_"),
		} {
			_, err := l.db.ExecContext(t.Context(), statement)
			err = dbError("try", err)
			if err == nil || !strings.HasPrefix(err.Error(), "try: sql") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", statement, err)
			}
		}
	})
	for text, cause := range map[string]error{
		"try: the connection is closed":                  sql.ErrTxDone,
		"try: the database failed":                       errors.New(secret),
		"try: the database's host name does not resolve": &net.DNSError{Name: secret},
	} {
		equal(t, "text", dbError("try", fmt.Errorf("wrapped: %w", cause)).Error(), text)
	}
	if dbError("try", nil) != nil {
		t.Error("dbError of nil is not nil")
	}
}
