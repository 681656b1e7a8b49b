package progtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// LogBuffer is a log that tells when a text has been written to it. NewLogBuffer makes one; it is safe for concurrent use.
type LogBuffer struct {
	want string
	seen chan struct{}

	mu  sync.Mutex
	buf bytes.Buffer
}

// NewLogBuffer returns an empty log that listens for a text, which must not be empty.
func NewLogBuffer(want string) *LogBuffer { return &LogBuffer{want: want, seen: make(chan struct{})} }

// Write keeps p. It never fails.
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

// String returns all that has been written.
func (b *LogBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Wait returns when the text has come, and fails the test when it does not come within twenty seconds.
func (b *LogBuffer) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-b.seen:
	case <-time.After(patience):
		t.Fatalf("nobody says %q:\n%s", b.want, b)
	}
}
