package ledger

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"modernc.org/sqlite"

	"github.com/workflow-bolt/rounds/internal/pgtest"
)

const secret = "hunter2-secret"

func TestOpenRefusesAddressesItDoesNotUnderstand(t *testing.T) {
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
			t.Errorf("Open(%q) repeats the secret: %v", address, err)
		}
	}
}

func TestOpenSaysWhyThereIsNoDatabase(t *testing.T) {
	t.Parallel()
	shut := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")) // a port that was free a moment ago
	refused := shut.Addr().String()
	if err := shut.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"postgres://u:" + secret + "@" + refused + "/d":                   "connection refused",
		"postgres://u:" + secret + "@" + refused + "/d?connect_timeout=1": "connection refused",
		"sqlite:" + filepath.Join(t.TempDir(), "no-such-folder", secret):  "no such file",
		"sqlite:" + t.TempDir():                                        "directory",
		strings.Replace(pgtest.URL(t), "?", secret+"?", 1):             "sqlstate 3D000",
		"postgres://nobody:" + secret + "@" + afterUser(pgtest.URL(t)): "sqlstate 28000",
		"sqlite:" + garbage(t):                                         "sqlite code 26",
	} {
		_, err := Open(t.Context(), address)
		if err == nil || errors.Is(err, ErrURL) || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q) = %v, want %q in it", address, err, want)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("Open(%q) repeats the secret: %v", address, err)
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

// A server that accepts and never answers must not hold a process for longer than Open promises.
func TestOpenStopsWithItsContext(t *testing.T) {
	t.Parallel()
	mute := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0")) // closed below
	defer func() { _ = mute.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := mute.Accept()
		cancel() // the client waits for an answer now
		if err == nil {
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		}
	}()
	_, err := Open(ctx, "postgres://u:"+secret+"@"+mute.Addr().String()+"/d?sslmode=disable")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Open = %v, want the context's end", err)
	}
}

func TestOpenKeepsTheFilePrivateAndItsPromises(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b%20c.db")
	l := open(t, "sqlite:"+path)
	equal(t, "dialect", l.Dialect(), SQLite)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600 under the very name", info, err)
	}
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "4000"} {
		var got string
		if err := l.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil {
			t.Fatal(err)
		}
		equal(t, pragma, got, want)
	}
}

// Two processes on one file: a transaction has the file to itself from its first moment, and who finds it taken learns it by
// code.
func TestSQLiteTransactionsExcludeOneAnother(t *testing.T) {
	t.Parallel()
	where := address(t, SQLite)
	l, other := open(t, where), open(t, where)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := other.db.ExecContext(t.Context(), "PRAGMA busy_timeout = 0"); err != nil {
		t.Fatal(err)
	}
	err := l.atomically(t.Context(), func(*sql.Tx) error {
		return other.Bury(t.Context(), letter("t1"))
	})
	if err == nil || err.Error() != "bury: sqlite code 5" {
		t.Errorf("writing beside a transaction: %v", err)
	}
	if err := other.Bury(t.Context(), letter("t1")); err != nil {
		t.Errorf("writing after it: %v", err)
	}
}

// Turning a file to WAL needs it for oneself. SQLite then refuses at once where it should wait, and Open tries again.
func TestOpenOutlivesTheRaceForWAL(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	reader := must[*sql.DB](t)(sql.Open("sqlite", path))
	defer func() { _ = reader.Close() }()
	if _, err := reader.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	reading := must[*sql.Tx](t)(reader.BeginTx(t.Context(), nil))
	if _, err := reading.ExecContext(t.Context(), "SELECT COUNT(*) FROM t"); err != nil {
		t.Fatal(err)
	}
	inner := must[driver.Connector](t)(sqlite.NewConnector(path + "?_busy_timeout=0&_journal_mode=WAL"))
	tries := 0
	l := &Ledger{dialect: SQLite, db: sql.OpenDB(beforeConnect{inner, func() {
		if tries++; tries == 3 {
			_ = reading.Rollback()
		}
	}})}
	defer func() { _ = l.Close() }()
	if err := l.reach(t.Context()); err != nil || tries != 3 {
		t.Errorf("reach = %v after %d tries, want success at the third", err, tries)
	}
}

type beforeConnect struct {
	driver.Connector
	do func()
}

func (c beforeConnect) Connect(ctx context.Context) (driver.Conn, error) {
	c.do()
	return c.Connector.Connect(ctx)
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
				t.Error("a closed ledger answers")
			}
		})
	}
}

func TestCallsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		over, cancel := context.WithCancel(t.Context())
		cancel()
		tick := Tick{Tenant: "clinic-a", Schedule: "s", At: noon}
		_, due := l.Due(over, 0)
		_, add := l.AddDue(over, []Tick{tick})
		_, last := l.LastTicks(over, "clinic-a")
		_, _, mark := l.Watermark(over, "clinic-a", "w")
		_, tenants := l.Tenants(over)
		_, changed := l.ApplyTenants(over, []Tenant{{ID: "clinic-b", TimeZone: "UTC"}})
		_, letters := l.DeadLetters(over, Filter{})
		_, counts := l.Counts(over)
		_, key := l.DataKey(over, "clinic-a", nil)
		for i, err := range []error{
			due, add, last, mark, tenants, changed, letters, counts, key, l.Ping(over), l.MarkSent(over, tick, noon),
			l.Advance(over, "clinic-a", "w", noon), l.Bury(over, letter("t1")), l.Resolve(over, "t1", StateResolved), l.Migrate(over),
		} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("call %d = %v, want the context's end", i, err)
			}
		}
		equal(t, "tenants afterwards", len(must[[]Tenant](t)(l.Tenants(t.Context()))), 1)
	})
}

// The database's own words quote values; an error must not.
func TestErrorsHoldCodesOnly(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		for _, statement := range []string{
			"INSERT INTO dead_letters (state) VALUES ('" + secret + "')",
			"SELECT '" + secret + "' FROM nowhere",
			"SELECT " + strings.ReplaceAll(secret, "-", "_"),
		} {
			_, err := l.db.ExecContext(t.Context(), statement)
			err = fault("try", err)
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
		equal(t, "text", fault("try", fmt.Errorf("wrapped: %w", cause)).Error(), text)
	}
	if fault("try", nil) != nil {
		t.Error("success became a fault")
	}
}

const buryUntilKilled = "bury-until-killed"

// buryForever is the other process of TestSQLiteSurvivesAKill: it prints each letter that the ledger took.
func buryForever(path string) {
	ctx := context.Background()
	l, err := Open(ctx, "sqlite:"+path)
	if err == nil {
		err = l.Migrate(ctx)
	}
	for n := 0; err == nil; n++ {
		d := letter(fmt.Sprintf("task-%d", n))
		if err = l.Bury(ctx, d); err == nil {
			_, err = fmt.Fprintln(os.Stdout, d.TaskID)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestSQLiteSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.db")
	writer := exec.CommandContext(t.Context(), os.Args[0], buryUntilKilled, path)
	writer.Stderr = os.Stderr
	out := must[io.ReadCloser](t)(writer.StdoutPipe())
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	var taken []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		taken = append(taken, lines.Text())
		if len(taken) == 50 {
			if err := writer.Process.Kill(); err != nil { // it goes on until the signal arrives
				t.Fatal(err)
			}
		}
	}
	if err := writer.Wait(); err == nil || len(taken) < 50 {
		t.Fatalf("the writer ended by itself after %d letters: %v", len(taken), err)
	}
	l := open(t, "sqlite:"+path)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var verdict string
	if err := l.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
	for _, id := range taken {
		want := letter(id)
		want.State = StateOpen
		equal(t, id, must[DeadLetter](t)(l.DeadLetter(t.Context(), id)), want)
	}
}
