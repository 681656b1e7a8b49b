package pgtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func TestURLGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, second := URL(t), URL(t)
	if first == second {
		t.Fatalf("two calls returned the same database: %s", first)
	}
	query(t, first, "CREATE TABLE t (n INTEGER)")
	query(t, second, "CREATE TABLE t (n INTEGER)")
}

func TestURLDropsTheDatabaseWhenTheTestEnds(t *testing.T) { //nolint:tparallel // it checks what its subtest leaves
	t.Parallel()
	var gone string
	t.Run("user", func(t *testing.T) { gone = URL(t) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if conn, err := pgx.Connect(ctx, gone); err == nil {
		_ = conn.Close(ctx)
		t.Error("the database still exists")
	}
}

// Without the keeper's last lines every run would leave a server and a directory behind.
func TestKeeperCleansUpWhenItsPipeCloses(t *testing.T) {
	t.Parallel()
	programs, err := find()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "pg")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	// With an empty input cat exits at once, so the server is started and stopped.
	attr, err := unprivileged(folder)
	if err != nil {
		t.Fatal(err)
	}
	openPath(t, filepath.Dir(folder))
	cmd := exec.CommandContext(t.Context(), "sh", "-c", keeper, "sh", programs, folder)
	cmd.SysProcAttr = attr
	out, err := cmd.Output()
	if string(out) != "ready\n" {
		t.Fatalf("the keeper printed %q (%v)", out, err)
	}
	left, err := os.ReadDir(folder)
	if err == nil && len(left) > 0 {
		t.Errorf("the keeper left %d entries behind", len(left))
	}
}

// openPath lets another account enter the directories that the testing package made private.
func openPath(t *testing.T, folder string) {
	t.Helper()
	for folder != os.TempDir() && folder != "/" {
		if err := os.Chmod(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		folder = filepath.Dir(folder)
	}
}

func TestKeeperPrintsItsError(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", keeper, "sh", "/nowhere", t.TempDir())
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), "/nowhere/initdb") {
		t.Errorf("the keeper printed %q, %v; want the missing program", out, err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]int{"/usr/lib/postgresql/15/bin/initdb": 15, "/usr/lib/postgresql/9/bin/initdb": 9, "/opt/pg/bin/initdb": 0} {
		if got := version(path); got != want {
			t.Errorf("version(%q) = %d, want %d", path, got, want)
		}
	}
}

func query(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
