package telemetry

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is a log that a timer's goroutine writes to and a test reads.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.buf.Reset()
	return l.buf.String()
}

// heldLog blocks in its first line until it is released.
type heldLog struct {
	slog.Handler

	held, release chan struct{}
}

func (h *heldLog) Handle(context.Context, slog.Record) error {
	close(h.held)
	<-h.release
	return nil
}

// A log that blocks delays no other reader.
func TestUnusableValuesAreCountedWhileTheLogBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &heldLog{slog.NewTextHandler(io.Discard, nil), make(chan struct{}), make(chan struct{})}
		tel, err := New(nil, nil, slog.New(h))
		if err != nil {
			t.Fatal(err)
		}
		ctx := With(t.Context(), tel)
		go ValueUnusable(ctx, "day", "seal_broken")
		<-h.held
		ValueUnusable(ctx, "day", "seal_broken")
		close(h.release)
	})
}

func TestUnusableValuesAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
		tel, err := New(nil, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		ctx := With(t.Context(), tel)
		see := func(n int, class, code string) {
			for range n {
				ValueUnusable(ctx, class, code)
			}
		}
		want := func(after time.Duration, want string) {
			t.Helper()
			<-time.After(after)
			synctest.Wait()
			if got := out.taken(); got != want {
				t.Errorf("logged %q, want %q", got, want)
			}
		}
		const line = `level=WARN msg="stored values cannot be used" code=`
		see(1000, "day-board", "seal_broken")
		want(0, line+"seal_broken class=day-board count=1\n")
		see(5, "last-seen", "value_malformed")
		want(59*time.Second, "")
		want(2*time.Second, line+"value_malformed class=last-seen count=1004\n")
		want(5*time.Minute, "")
		see(2, "day", "value_foreign")
		want(0, line+"value_foreign class=day count=1\n")
		want(time.Minute, line+"value_foreign class=day count=1\n")
		want(time.Hour, "")
		see(3, "day", "value_foreign")
		want(0, line+"value_foreign class=day count=1\n")
		tel.Flush()
		want(0, line+"value_foreign class=day count=2\n")
		tel.Flush()
		want(time.Hour, "")
		ValueUnusable(context.Background(), "day", "value_foreign") // without telemetry: neither figure nor line
	})
}
