package process

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a redis-server with an append-only file in a folder of its own.
type Redis struct {
	Addr string
	// Client is on database 0.
	Client *redis.Client

	dir string
	cmd *exec.Cmd
}

// StartRedis starts a redis-server on a free port and waits until it answers. Directives in extra
// override its own.
func StartRedis(ctx context.Context, extra ...string) (_ *Redis, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Redis{Addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(r.Addr)
	if r.dir, err = os.MkdirTemp("", "bench-redis"); err != nil {
		return nil, err
	}
	args := append([]string{
		"--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "yes", "--dir", r.dir, "--logfile", "log",
	}, extra...)
	r.cmd = exec.Command("redis-server", args...) //nolint:gosec,noctx // Close ends it
	if err := r.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start redis-server: %w", err), os.RemoveAll(r.dir))
	}
	r.Client = redis.NewClient(&redis.Options{Addr: r.Addr, DisableIdentity: true})
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for r.Client.Ping(ctx).Err() != nil {
		if err := Pause(ctx, 20*time.Millisecond); err != nil {
			log, _ := os.ReadFile(filepath.Join(r.dir, "log"))
			return nil, errors.Join(fmt.Errorf("start redis-server: %w\n%s", err, log), r.Close())
		}
	}
	return r, nil
}

// URL returns the address of a database.
func (r *Redis) URL(database int) string { return "redis://" + r.Addr + "/" + strconv.Itoa(database) }

// Close kills the server and removes its data.
func (r *Redis) Close() error {
	_ = r.Client.Close()
	_ = r.cmd.Process.Signal(syscall.SIGKILL)
	_ = r.cmd.Wait() // it reports the signal
	return os.RemoveAll(r.dir)
}

// Pause waits for d, or until ctx ends. It returns the cause of that end.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
