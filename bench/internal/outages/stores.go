package outages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// fault is one way in which a store is unavailable.
type fault struct {
	name       string
	begin, end func(context.Context) error
}

// startLimit bounds the start of a server.
const startLimit = 60 * time.Second

// redisServer is a private Redis behind a proxy.
type redisServer struct {
	*process.Redis
	proxy *process.Proxy
}

func startRedis(ctx context.Context) (*redisServer, error) {
	r, err := process.StartRedis(ctx)
	if err != nil {
		return nil, err
	}
	proxy, err := process.StartProxy(ctx, "tcp", r.Addr)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return &redisServer{r, proxy}, nil
}

func (s *redisServer) url() string { return "redis://" + s.proxy.Addr }

func (s *redisServer) close() error { return errors.Join(s.proxy.Close(), s.Close()) }

func (s *redisServer) faults() []fault {
	config := func(name, value string) func(context.Context) error {
		return func(ctx context.Context) error { return s.Client.ConfigSet(ctx, name, value).Err() }
	}
	replicaOf := func(host, port string) func(context.Context) error {
		return func(ctx context.Context) error { return s.Client.Do(ctx, "REPLICAOF", host, port).Err() }
	}
	return append(faultsOf(s.proxy),
		fault{"full", config("maxmemory", "1"), config("maxmemory", "0")},
		fault{"read-only", replicaOf("127.0.0.1", "1"), replicaOf("NO", "ONE")})
}

// faultsOf returns the faults of any store behind a proxy.
func faultsOf(p *process.Proxy) []fault {
	return []fault{
		{"down", func(context.Context) error { return p.Cut() }, p.Listen},
		{"frozen", func(context.Context) error { p.Freeze(); return nil }, func(context.Context) error { p.Thaw(); return nil }},
	}
}

// postgres is a private PostgreSQL behind a proxy. It does not protect its data.
type postgres struct {
	proxy  *process.Proxy
	cmd    *exec.Cmd
	socket string // directory
}

// keeper creates the data directory and becomes the server. $1 is the directory of PostgreSQL's
// programs, $2 the one to work in.
const keeper = `cd "$2" && "$1/initdb" -D data -U rounds -A trust -E UTF8 --locale=C --no-sync >log 2>&1 &&
exec "$1/postgres" -D data -k "$2" -p 5432 -c listen_addresses= -c fsync=off -c shared_buffers=32MB >>log 2>&1`

func startPostgres(ctx context.Context, dir string) (_ *postgres, err error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return nil, errors.New("PostgreSQL is not installed; `make test` installs it")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s := &postgres{cmd: exec.Command("sh", "-c", keeper, "sh", found[len(found)-1], dir), socket: dir} //nolint:gosec,noctx // a folder of the bench; close ends it
	if s.cmd.SysProcAttr, err = unprivileged(dir); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.proxy, err = process.StartProxy(ctx, "unix", filepath.Join(dir, ".s.PGSQL.5432")); err != nil {
		return nil, err
	}
	return s, until(ctx, startLimit, "PostgreSQL answers", func() bool { return s.do(ctx, "SELECT 1") == nil })
}

// unprivileged makes the directory belong to PostgreSQL's account, because it refuses to run as
// root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.ParseUint(account.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(account.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chmod(filepath.Dir(dir), 0o711)); err != nil { //nolint:gosec // a way to the directory below
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}

func (s *postgres) url() string {
	return "postgres://rounds@" + s.proxy.Addr + "/postgres?sslmode=disable"
}

// do runs statements past the proxy.
func (s *postgres) do(ctx context.Context, statements ...string) error {
	c, err := pgx.Connect(ctx, "host="+s.socket+" port=5432 user=rounds dbname=postgres options='-c default_transaction_read_only=off'")
	if err != nil {
		return err
	}
	defer func() { _ = c.Close(ctx) }()
	for _, statement := range statements {
		if _, err := c.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (s *postgres) close() error {
	var err error
	if s.proxy != nil {
		err = s.proxy.Close()
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // an immediate shutdown
	_ = s.cmd.Wait()
	return err
}

// The tables of a full ledger refuse rows with the server's own code for a full disk.
const (
	fill = `CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
DO $$ DECLARE t text; BEGIN FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
EXECUTE format('CREATE TRIGGER no_room BEFORE INSERT OR UPDATE ON %I EXECUTE FUNCTION no_room()', t); END LOOP; END $$`
	empty = `DROP FUNCTION no_room CASCADE`
)

func (s *postgres) faults() []fault {
	run := func(statements ...string) func(context.Context) error {
		return func(ctx context.Context) error { return s.do(ctx, statements...) }
	}
	return append(faultsOf(s.proxy),
		fault{"full", run(fill), run(empty)},
		fault{
			"read-only", run("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"),
			run("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"),
		})
}

// until waits until ok returns true.
func until(ctx context.Context, limit time.Duration, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s", limit, what)
		}
	}
	return nil
}
