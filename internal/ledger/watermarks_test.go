package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestWatermark(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		if at, found, err := l.Watermark(t.Context(), "clinic-a", "appointments:7"); found || err != nil || !at.IsZero() {
			t.Errorf("never set: %v, %v, %v", at, found, err)
		}
		chicago := must[*time.Location](t)(time.LoadLocation("America/Chicago"))
		for _, step := range []struct{ to, want time.Time }{
			{noon, noon},
			{noon.Add(-time.Hour), noon},
			{noon.Add(900 * time.Nanosecond), noon},
			{noon.Add(time.Microsecond).In(chicago), noon.Add(time.Microsecond)},
		} {
			if err := l.Advance(t.Context(), "clinic-a", "appointments:7", step.to); err != nil {
				t.Fatal(err)
			}
			at, found, err := l.Watermark(t.Context(), "clinic-a", "appointments:7")
			equal(t, step.to.String(), []any{at, found, err}, []any{step.want, true, nil})
		}
		for _, other := range []struct {
			id   tenant.ID
			name string
		}{{"clinic-b", "appointments:7"}, {"clinic-a", "appointments:8"}} {
			if _, found, err := l.Watermark(t.Context(), other.id, other.name); found || err != nil {
				t.Errorf("%v also moved (%v)", other, err)
			}
		}
	})
}

func TestWatermarkNeverMovesBack(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		var all errgroup.Group
		for n := range 40 {
			to := noon.Add(time.Duration(n*17%40) * time.Second) // every second once, out of order
			all.Go(func() error {
				if err := l.Advance(t.Context(), "clinic-a", "w", to); err != nil {
					return err
				}
				at, _, err := l.Watermark(t.Context(), "clinic-a", "w")
				if err == nil && at.Before(to) {
					t.Errorf("at %v after advancing to %v", at, to)
				}
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		at, found, err := l.Watermark(t.Context(), "clinic-a", "w")
		equal(t, "in the end", []any{at, found, err}, []any{noon.Add(39 * time.Second), true, nil})
	})
}

// The watermark is the greatest instant it was given, in any order and for dates far from today's.
func TestWatermarkIsTheGreatest(t *testing.T) {
	t.Parallel()
	l := migrated(t, SQLite)
	apply(t, l, "clinic-a")
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		name := "w" + strings.Repeat("x", runs%100) + time.Duration(runs).String()
		var greatest time.Time
		for _, micros := range rapid.SliceOfN(rapid.Int64Range(-62135596799000000, 253402300799000000), 1, 6).Draw(r, "micros") {
			to := time.UnixMicro(micros).UTC()
			if to.After(greatest) {
				greatest = to
			}
			if err := l.Advance(t.Context(), "clinic-a", name, to); err != nil {
				r.Fatal(err)
			}
		}
		at, _, err := l.Watermark(t.Context(), "clinic-a", name)
		if err != nil || !at.Equal(greatest) {
			r.Fatalf("at %v (%v), want %v", at, err, greatest)
		}
	})
}

func TestWatermarkErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		if err := l.Advance(t.Context(), "clinic-x", "w", noon); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
		for _, name := range []string{"", strings.Repeat("w", maxCode+1), secret + "\x00", secret + "\n", secret + "\xff"} {
			err := l.Advance(t.Context(), "clinic-a", name, noon)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("name %q: %v", name, err)
			}
			if _, _, err := l.Watermark(t.Context(), "clinic-a", name); !errors.Is(err, ErrInvalid) {
				t.Errorf("read %q: %v", name, err)
			}
		}
		for _, to := range []time.Time{{}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)} {
			if err := l.Advance(t.Context(), "clinic-a", "w", to); !errors.Is(err, ErrInvalid) {
				t.Errorf("to %v: %v", to, err)
			}
		}
	})
}
