package progtest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Heard is a log that tells when a text has been written to it. Hear makes one; it is safe for concurrent use.
type Heard struct {
	want string
	seen chan struct{}

	mu  sync.Mutex
	buf bytes.Buffer
}

// Hear returns an empty log that listens for a text, which must not be empty.
func Hear(want string) *Heard { return &Heard{want: want, seen: make(chan struct{})} }

// Write keeps p. It never fails.
func (h *Heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := strings.Contains(h.buf.String(), h.want)
	_, _ = h.buf.Write(p)
	if !before && strings.Contains(h.buf.String(), h.want) {
		close(h.seen)
	}
	return len(p), nil
}

// String returns all that has been written.
func (h *Heard) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.buf.String()
}

// Wait returns when the text has come, and fails the test when it does not come within twenty seconds.
func (h *Heard) Wait(t testing.TB) {
	t.Helper()
	select {
	case <-h.seen:
	case <-time.After(patience):
		t.Fatalf("nobody says %q:\n%s", h.want, h)
	}
}
