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

func TestReachWaitsAsLongAsItMay(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for _, tc := range []struct {
		name  string
		wait  time.Duration
		after time.Duration // when the dependency answers
		ok    bool
		took  time.Duration
		says  int
	}{
		{"it is there", time.Minute, 0, true, 0, 0},
		{"no patience", 0, 10 * time.Second, false, 0, 0},
		{"it comes", 3 * time.Minute, 90 * time.Second, true, 90 * time.Second, 1},
		{"it never comes", 10 * time.Second, time.Hour, false, 9 * time.Second, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				began := time.Now()
				err := Reach(t.Context(), slog.New(slog.NewTextHandler(&out, nil)), tc.wait, "ledger", func(ctx context.Context) error {
					if due, ok := ctx.Deadline(); !ok || time.Until(due) > firstContact {
						t.Error("a try has no limit")
					}
					if time.Since(began) < tc.after {
						return away
					}
					return nil
				})
				if took := time.Since(began); (err == nil) != tc.ok || took != tc.took {
					t.Errorf("%v after %v", err, took)
				}
				if n := strings.Count(out.String(), "waiting"); n != tc.says {
					t.Errorf("said it %d times:\n%s", n, out.String())
				}
			})
		})
	}
}

func TestReachEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		began := time.Now()
		err := Reach(ctx, slog.New(slog.DiscardHandler), time.Hour, "ledger", func(context.Context) error { return errors.New("away") })
		if took := time.Since(began); err == nil || took != 2500*time.Millisecond {
			t.Errorf("%v after %v", err, took)
		}
	})
}
