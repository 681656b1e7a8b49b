package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var errRefused = Unreachable("ledger", errors.New("connection refused"))

func TestUnreachableNamesTheDependency(t *testing.T) {
	t.Parallel()
	if want := "ledger: a dependency does not answer: connection refused"; errRefused.Error() != want || !errors.Is(errRefused, ErrDependency) {
		t.Errorf("%q, want %q marked as ErrDependency", errRefused, want)
	}
}

func TestWaitForStopsAtItsLimit(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		wait  time.Duration
		after time.Duration // when the dependency answers
		ok    bool
		took  time.Duration
		lines int
	}{
		{"reachable at once", time.Minute, 0, true, 0, 0},
		{"no wait", 0, 10 * time.Second, false, 0, 0},
		{"reachable later", 3 * time.Minute, 90 * time.Second, true, 90 * time.Second, 1},
		{"never reachable", 10 * time.Second, time.Hour, false, 9 * time.Second, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				began := time.Now()
				err := WaitFor(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), tc.wait, "ledger", func(ctx context.Context) error {
					if due, ok := ctx.Deadline(); !ok || time.Until(due) > attemptLimit {
						t.Error("an attempt has no limit")
					}
					if time.Since(began) < tc.after {
						return errRefused
					}
					return nil
				})
				if took := time.Since(began); (err == nil) != tc.ok || took != tc.took {
					t.Errorf("%v after %v", err, took)
				}
				if n := strings.Count(out.String(), "waiting"); n != tc.lines {
					t.Errorf("%d log lines, want %d:\n%s", n, tc.lines, out.String())
				}
			})
		})
	}
}

func TestWaitForReturnsOtherErrorsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), 0
		err := WaitFor(t.Context(), slog.New(slog.DiscardHandler), time.Hour, "ledger", func(context.Context) error {
			calls++
			return errBoom
		})
		if !errors.Is(err, errBoom) || calls != 1 || time.Since(began) != 0 {
			t.Errorf("%v after %d calls and %v", err, calls, time.Since(began))
		}
	})
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := WaitFor(ctx, slog.New(slog.DiscardHandler), time.Hour, "ledger", func(context.Context) error { return errRefused })
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrDependency) || took != 2500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}
