// Package redistest gives each test its own Redis database on a real redis-server.
//
// One server is started for each test binary, on a unix socket in a temporary directory, with 4,096
// databases; New returns the next one, so all tests can run in parallel although asynq's key names
// are fixed. Pub/sub channels are not divided by database: use unique tenants or names there.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

const databases = 4096

var (
	start    sync.Once
	instance *server
	startErr error
	next     atomic.Int64
)

type server struct {
	socket, dir string
	cmd         *exec.Cmd
}

// Main is the body of a TestMain: it runs the tests, stops the server, fails if a goroutine is
// left, and exits.
func Main(m *testing.M) {
	code := m.Run()
	Stop()
	if code == 0 {
		// A client that could not connect tries again for a second after it has been closed.
		dial := goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial")
		if err := goleak.Find(dial); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// Stop ends the server if one was started. Main calls it; a TestMain that does not use Main must
// call it.
func Stop() {
	if instance != nil {
		_ = instance.cmd.Process.Kill()
		_ = instance.cmd.Wait()
		_ = os.RemoveAll(instance.dir)
	}
}

// New returns a client of an empty database that no other test uses. It fails the test if
// redis-server is not installed; "make test" installs it.
func New(t testing.TB) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(URL(t))
	if err != nil {
		t.Fatalf("redistest: %v", err)
	}
	o.ContextTimeoutEnabled = true
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// URL is New for code that dials by itself.
func URL(t testing.TB) string {
	t.Helper()
	start.Do(func() { instance, startErr = launch() })
	if startErr != nil {
		t.Fatalf("redistest: %v", startErr)
	}
	n := next.Add(1)
	if n >= databases {
		t.Fatalf("redistest: more than %d databases requested", databases)
	}
	return fmt.Sprintf("unix://%s?db=%d", instance.socket, n)
}

// Mini returns a client of an embedded miniredis whose clock follows real time. A test on it shows
// that a script is portable; it shows nothing about speed or persistence.
func Mini(t testing.TB) *redis.Client {
	t.Helper()
	m := miniredis.RunT(t)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for last := time.Now(); ; {
			select {
			case <-stop:
				return
			case now := <-tick.C:
				m.FastForward(now.Sub(last))
				last = now
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	c := redis.NewClient(&redis.Options{Addr: m.Addr(), ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func launch() (*server, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, fmt.Errorf("redis-server is not installed (make test installs it): %w", err)
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	s := &server{socket: filepath.Join(dir, "s"), dir: dir}
	s.cmd = exec.Command(path, "--port", "0", "--unixsocket", s.socket, "--databases", fmt.Sprint(databases),
		"--save", "", "--appendonly", "no", "--dir", dir, "--logfile", filepath.Join(dir, "log"))
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	if err := waitReady(s.socket, "", ""); err != nil {
		_ = s.cmd.Process.Kill()
		return nil, fmt.Errorf("%w; see %s", err, filepath.Join(dir, "log"))
	}
	return s, nil
}

// waitReady waits until the server behind the socket answers; the user may be empty.
func waitReady(socket, user, password string) error {
	c := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Username: user, Password: password, MaxRetries: -1})
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.Ping(ctx).Err() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("redis-server did not answer within 20 s")
		}
	}
	return nil
}
