package redisconn

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestRunIDChangesWithARestart(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	c, err := Dial(server.URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	read := func() string {
		id, err := RunID(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, again := read(), read()
	server.Kill()
	server.Start(t)
	for range 2 { // the connections of the pool are lost, one error each
		if _, err := RunID(t.Context(), c); err == nil {
			break
		}
	}
	second := read()
	if first == "" || first != again || first == second {
		t.Errorf("run ids %q, %q, after the restart %q", first, again, second)
	}
	for range 2 {
		if id, err := RunID(t.Context(), redistest.Mini(t)); err != nil || id != embeddedRunID {
			t.Errorf("embedded: %q, %v", id, err)
		}
	}
}

// logBuffer is a log that several goroutines write to.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.buf.Bytes(), []byte("\n"))
}

// A restarted server has another run id; while the server is down the last id stays current.
func TestRunIDWatchFollowsTheServer(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	c, err := Dial(server.URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	var log logBuffer
	w := NewRunIDWatch(c, slog.New(slog.NewTextHandler(&log, nil)), "cache-redis")
	if id := w.Current(); id != "" {
		t.Errorf("%q before the first read", id)
	}
	if err := w.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := w.Current()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	server.Kill()
	eventually(t, "the log reports the server as unreachable", func() bool { return log.lines() > 0 })
	if first == "" || w.Current() != first {
		t.Errorf("%q became %q while the server was down", first, w.Current())
	}
	server.Start(t)
	eventually(t, "the new run id is current", func() bool { return w.Current() != first })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := log.lines(); n != 2 {
		t.Errorf("%d log lines, want one per change", n)
	}
}

// eventually polls until ok, and fails the test after ten seconds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("never: %s", what)
		}
	}
}
