package ledger

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"modernc.org/sqlite"
)

// Two processes on one file: a transaction holds the file from its start, and a process that finds
// it locked gets an error with SQLite's code.
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
	err := l.inTransaction(t.Context(), func(*sql.Tx) error {
		return other.Bury(t.Context(), deadLetter("t1"))
	})
	if err == nil || err.Error() != "bury: sqlite code 5" {
		t.Errorf("writing during a transaction: %v", err)
	}
	if err := other.Bury(t.Context(), deadLetter("t1")); err != nil {
		t.Errorf("writing after the transaction: %v", err)
	}
}

// Switching a file to WAL needs exclusive access. SQLite then fails at once instead of waiting, and
// Open retries.
func TestOpenRetriesTheSwitchToWAL(t *testing.T) {
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
	if err := l.connect(t.Context()); err != nil || tries != 3 {
		t.Errorf("connect = %v after %d tries, want success at the third", err, tries)
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

const buryUntilKilled = "bury-until-killed"

// buryForever is the other process of TestSQLiteSurvivesAKill: it prints the ID of each stored dead
// letter.
func buryForever(path string) {
	ctx := context.Background()
	l, err := Open(ctx, "sqlite:"+path)
	if err == nil {
		err = l.Migrate(ctx)
	}
	for n := 0; err == nil; n++ {
		d := deadLetter(fmt.Sprintf("task-%d", n))
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
	var stored []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		stored = append(stored, lines.Text())
		if len(stored) == 50 {
			if err := writer.Process.Kill(); err != nil { // it continues until the signal arrives
				t.Fatal(err)
			}
		}
	}
	if err := writer.Wait(); err == nil || len(stored) < 50 {
		t.Fatalf("the writer ended by itself after %d dead letters: %v", len(stored), err)
	}
	l := open(t, "sqlite:"+path)
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	var result string
	if err := l.db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		t.Errorf("integrity: %s, %v", result, err)
	}
	for _, id := range stored {
		want := deadLetter(id)
		want.State = StateOpen
		equal(t, id, must[DeadLetter](t)(l.DeadLetter(t.Context(), id)), want)
	}
}
