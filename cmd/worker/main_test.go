package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// heard is a log that tells when a text has been written to it.
type heard struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	want string
	seen chan struct{}
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := strings.Contains(h.buf.String(), h.want)
	n, err := h.buf.Write(p)
	if !before && strings.Contains(h.buf.String(), h.want) {
		close(h.seen)
	}
	return n, err
}

func (h *heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

// environment is a complete one for development, with a Redis of its own.
func environment(t *testing.T) map[string]string {
	t.Helper()
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	data, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keyset := filepath.Join(dir, "keys")
	if err := os.WriteFile(keyset, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t),
		"ROUNDS_LEDGER": "sqlite:" + filepath.Join(dir, "ledger.db"), "ROUNDS_KEYS": keyset, "ROUNDS_HEALTH_ADDR": "off",
		"ROUNDS_TEBRA_ENDPOINT": "http://127.0.0.1:1/soap",
	}
}

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), nil, getenv(nil), &stdout, &stderr); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
	for _, name := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"} {
		if !strings.Contains(stderr.String(), name) {
			t.Errorf("%s is missing from:\n%s", name, stderr.String())
		}
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--verbose"}, getenv(environment(t)), &stdout, &stderr); code != 2 {
		t.Errorf("exit %d, want 2", code)
	}
}

func TestUnreachableRedisIsSaidInTime(t *testing.T) {
	t.Parallel()
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mute.Close() })
	for name, url := range map[string]string{
		"nobody listens":  "redis://:hush@127.0.0.1:1/0",
		"nobody answers":  "redis://:hush@" + mute.Addr().String(),
		"no such machine": "redis://:hush@nowhere.invalid:6379",
	} {
		for _, role := range []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS"} {
			t.Run(name+" "+role, func(t *testing.T) {
				t.Parallel()
				vars := environment(t)
				vars[role] = url
				var stdout, stderr bytes.Buffer
				begun := time.Now()
				code := run(t.Context(), nil, getenv(vars), &stdout, &stderr)
				if took := time.Since(begun); code != 6 || took > 5*time.Second {
					t.Errorf("exit %d after %s, want 6 within 5 s", code, took)
				}
				if !strings.Contains(stderr.String(), "redis") || strings.Contains(stderr.String(), "hush") {
					t.Errorf("it says %q, want the name of what is gone and no password", stderr.String())
				}
			})
		}
	}
}

func TestStartsAndStops(t *testing.T) {
	t.Parallel()
	vars := environment(t)
	vars["ROUNDS_HEALTH_ADDR"] = "127.0.0.1:0"
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &heard{want: "worker takes tasks", seen: make(chan struct{})}
	code := make(chan int, 1)
	go func() { code <- run(ctx, nil, getenv(vars), &bytes.Buffer{}, stderr) }()
	select {
	case <-stderr.seen:
	case got := <-code:
		t.Fatalf("ended with %d:\n%s", got, stderr)
	case <-time.After(20 * time.Second):
		t.Fatalf("does not start:\n%s", stderr)
	}
	cancel()
	select {
	case got := <-code:
		if got != 0 {
			t.Errorf("exit %d after being told to stop, want 0:\n%s", got, stderr)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("does not stop within the ten seconds that platforms give:\n%s", stderr)
	}
}

func TestToldToStopWhileStarting(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	if code := run(ctx, nil, getenv(environment(t)), &stdout, &stderr); code != 0 {
		t.Errorf("exit %d, want 0:\n%s", code, stderr.String())
	}
}
