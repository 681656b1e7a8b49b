package progtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// LogBuffer collects a log and signals when a text appears in it. NewLogBuffer makes one. It is
// safe for concurrent use.
type LogBuffer struct {
	want string
	seen chan struct{}

	mu  sync.Mutex
	buf bytes.Buffer
}

// NewLogBuffer returns an empty log that watches for want, which must not be empty.
func NewLogBuffer(want string) *LogBuffer { return &LogBuffer{want: want, seen: make(chan struct{})} }

// Write appends p. It never fails.
func (b *LogBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := strings.Contains(b.buf.String(), b.want)
	_, _ = b.buf.Write(p)
	if !before && strings.Contains(b.buf.String(), b.want) {
		close(b.seen)
	}
	return len(p), nil
}

// String returns everything written so far.
func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Wait returns when the text has appeared, and fails the test if it does not appear within twenty
// seconds.
func (b *LogBuffer) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-b.seen:
	case <-time.After(patience):
		t.Fatalf("the log never contains %q:\n%s", b.want, b)
	}
}
