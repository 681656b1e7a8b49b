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
	"strings"
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

// Counters are what a server has counted since its start.
type Counters struct {
	// Reads is how often it has read from a connection: a command, or as much of a pipeline as has
	// arrived. That is about the number of round trips.
	Reads int
	// Commands counts commands, those of scripts too.
	Commands int
}

// Counters reads the server's counters.
func (r *Redis) Counters(ctx context.Context) (c Counters, err error) {
	info, err := r.Client.Info(ctx, "stats").Result()
	if err != nil {
		return c, err
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "total_reads_processed":
			c.Reads, err = strconv.Atoi(value)
		case "total_commands_processed":
			c.Commands, err = strconv.Atoi(value)
		}
		if err != nil {
			return c, fmt.Errorf("counters of Redis: %w", err)
		}
	}
	if c.Reads == 0 || c.Commands == 0 {
		return c, errors.New("counters of Redis: this server does not count what it reads")
	}
	return c, nil
}

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
