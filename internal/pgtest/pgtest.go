// Package pgtest provides a private PostgreSQL for tests.
//
// One server is started per test binary, on first use, from the PostgreSQL programs installed on
// the system. It listens on a Unix socket in a temporary directory, does not protect its data (no
// fsync) and is shared by the tests of the binary; each test gets its own database.
//
// A keeper process stops the server and removes the directory when its pipe closes, which happens
// however the test binary ends. A package may therefore use URL under any TestMain, or none.
package pgtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

const (
	superuser    = "rounds"
	adminTimeout = 30 * time.Second
)

// keeper creates a data directory, starts the server and waits for the end of its standard input.
// It prints one line: "ready", or the error. $1 is the directory of PostgreSQL's programs, $2 the
// directory to work in.
//
// The port is only part of the socket's name, since the server does not listen on the network.
const keeper = `
trap 'rm -rf "$2"' EXIT
cd "$2" || exit 1
if "$1/initdb" -D data -U ` + superuser + ` -A trust -E UTF8 --locale=C --no-sync >log 2>&1 &&
   "$1/pg_ctl" -D data -l log -w -t 60 -o "-k '$2' -p 5432 -c listen_addresses= -c fsync=off -c full_page_writes=off \
     -c synchronous_commit=off -c max_connections=300 -c shared_buffers=32MB -c max_wal_size=256MB" start >>log 2>&1
then echo ready
else tail -n 3 log | tr '\n' ' '; echo; exit 1
fi
cat >/dev/null
"$1/pg_ctl" -D data -m immediate stop >/dev/null 2>&1
`

var (
	server    = sync.OnceValues(start)
	databases atomic.Int64

	stopMu sync.Mutex
	stop   func() // nil until a server runs
)

// Main is the body of a TestMain: it runs the tests, stops the server, checks that no goroutine is
// left, and exits. A package with another TestMain does not need it, since the server stops by
// itself.
func Main(m goleak.TestingM) {
	goleak.VerifyTestMain(stopAfter{m})
}

type stopAfter struct{ m goleak.TestingM }

// Run implements goleak.TestingM.
func (s stopAfter) Run() int {
	code := s.m.Run()
	stopMu.Lock()
	defer stopMu.Unlock()
	if stop != nil {
		stop()
	}
	return code
}

// URL returns the postgres:// address of a new, empty database, which is dropped when the test
// ends. It fails the test if PostgreSQL is not installed.
func URL(t testing.TB) string {
	t.Helper()
	folder, err := server()
	if err != nil {
		t.Fatalf("start PostgreSQL for tests: %v", err)
	}
	name := "t" + strconv.FormatInt(databases.Add(1), 10)
	if err := admin(t.Context(), folder, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := admin(context.Background(), folder, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return address(folder, name)
}

func address(folder, database string) string {
	q := url.Values{"host": {folder}, "port": {"5432"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

func admin(ctx context.Context, folder, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, address(folder, "postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	if closeErr := conn.Close(ctx); err == nil {
		err = closeErr
	}
	return err
}

// start returns the directory that holds the server's socket.
func start() (string, error) {
	programs, err := find()
	if err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "rounds-pg-")
	if err != nil {
		return "", err
	}
	attr, err := unprivileged(folder)
	if err != nil {
		return "", err
	}
	cmd := exec.Command("sh", "-c", keeper, "sh", programs, folder)
	cmd.SysProcAttr = attr
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	alive, err := cmd.StdinPipe()
	if err != nil {
		return "", err
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil || line != "ready\n" {
		return "", fmt.Errorf("%s(%w)", line, cmd.Wait())
	}
	stopMu.Lock()
	defer stopMu.Unlock()
	stop = func() { closeAndWait(alive, cmd) }
	return folder, nil
}

func closeAndWait(alive io.Closer, cmd *exec.Cmd) {
	_ = alive.Close()
	_ = cmd.Wait() // the exit status of a discarded server does not matter
}

// find returns the directory of the newest PostgreSQL programs.
func find() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", fmt.Errorf("initdb and pg_ctl are not installed; `make test` installs them")
	}
	return filepath.Dir(path), nil
}

// version reads 15 out of /usr/lib/postgresql/15/bin/initdb; 0 when there is no number.
func version(initdb string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged makes the folder belong to the server's account. PostgreSQL refuses to run as root,
// so a test run by root uses the account that PostgreSQL's package created. The group keeps an
// interrupt at the terminal from reaching the keeper before it has cleaned up.
func unprivileged(folder string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("no postgres account to run it as; run the tests with `make test`, which installs it: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(folder, int(uid), int(gid))
}
