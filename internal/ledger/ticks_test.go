package ledger

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func tick(schedule string, after time.Duration) Tick {
	return Tick{Tenant: "clinic-a", Schedule: schedule, At: noon.Add(after)}
}

func TestTicksAreDueUntilSent(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		other := Tick{Tenant: "clinic-b", Schedule: "sync", At: noon.Add(time.Minute)}
		given := []Tick{tick("sync", 2*time.Minute), other, tick("sync", time.Minute), tick("warm", time.Minute), tick("sync", time.Minute)}
		equal(t, "added", must[int](t)(l.AddDue(t.Context(), given)), 4)
		equal(t, "added again", must[int](t)(l.AddDue(t.Context(), given)), 0)
		equal(t, "added of none", must[int](t)(l.AddDue(t.Context(), nil)), 0)
		want := []Tick{tick("sync", time.Minute), tick("warm", time.Minute), other, tick("sync", 2*time.Minute)}
		equal(t, "due", must[[]Tick](t)(l.Due(t.Context(), DueFilter{})), want)
		equal(t, "the first", must[[]Tick](t)(l.Due(t.Context(), DueFilter{Limit: 1})), want[:1])

		for range 2 { // the repetition changes nothing
			if err := l.MarkSent(t.Context(), want[1], noon.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "due after one was sent", must[[]Tick](t)(l.Due(t.Context(), DueFilter{})), slices.Delete(slices.Clone(want), 1, 2))
		equal(t, "added when sent", must[int](t)(l.AddDue(t.Context(), given)), 0)
		equal(t, "due after adding again", len(must[[]Tick](t)(l.Due(t.Context(), DueFilter{}))), 3)
	})
}

func TestMarkSentKeepsTheFirstTime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		must[int](t)(l.AddDue(t.Context(), []Tick{tick("sync", 0)}))
		for _, now := range []time.Time{noon, noon.Add(time.Hour)} {
			if err := l.MarkSent(t.Context(), tick("sync", 0), now); err != nil {
				t.Fatal(err)
			}
		}
		var sent int64
		if err := l.db.QueryRowContext(t.Context(), "SELECT sent_at FROM ticks").Scan(&sent); err != nil {
			t.Fatal(err)
		}
		equal(t, "sent", fromMicros(sent), noon)
	})
}

func TestTicksAreUniqueAmongSchedulers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		var given []Tick
		for n := range maxRows + ticksAtOnce + 10 {
			given = append(given, tick("sync", time.Duration(n)*time.Second))
		}
		added := concurrently(t, given, func(own []Tick) (int, error) { return l.AddDue(t.Context(), own) })
		equal(t, "added by all", added, len(given))
		equal(t, "listed at most", len(must[[]Tick](t)(l.Due(t.Context(), DueFilter{Limit: 1 << 20}))), maxRows)
		var rows int
		if err := l.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM ticks").Scan(&rows); err != nil || rows != len(given) {
			t.Errorf("%d ticks are stored, want %d (%v)", rows, len(given), err)
		}
	})
}

func TestLastTicks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		last := func() map[string]time.Time {
			return must[map[string]time.Time](t)(l.LastTicks(t.Context(), "clinic-a", noon.Add(time.Hour)))
		}
		must[int](t)(l.AddDue(t.Context(), []Tick{{Tenant: "clinic-b", Schedule: "sync", At: noon}}))
		equal(t, "never", last(), map[string]time.Time{})
		must[int](t)(l.AddDue(t.Context(), []Tick{tick("warm", time.Hour), tick("sync", time.Minute), tick("sync", 0)}))
		due := map[string]time.Time{"warm": noon.Add(time.Hour), "sync": noon.Add(time.Minute)}
		equal(t, "due", last(), due)
		if err := l.MarkSent(t.Context(), tick("sync", time.Minute), noon); err != nil {
			t.Fatal(err)
		}
		equal(t, "sent", last(), due)
	})
}

func TestDeleteTicks(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		const day = 24 * time.Hour
		unsent, edge := tick("sync", -20*day), tick("sync", -7*day)
		newest := Tick{Tenant: "clinic-b", Schedule: "sync", At: noon.Add(-10 * day)}
		ticks := []Tick{tick("sync", -10*day), tick("sync", -8*day), unsent, edge, tick("warm", -10*day), newest}
		must[int](t)(l.AddDue(t.Context(), ticks))
		for _, k := range ticks {
			if k != unsent {
				if err := l.MarkSent(t.Context(), k, noon); err != nil {
					t.Fatal(err)
				}
			}
		}
		equal(t, "deleted", must[int](t)(l.DeleteTicks(t.Context(), noon.Add(-7*day))), 2)
		var left int
		if err := l.db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM ticks").Scan(&left); err != nil {
			t.Fatal(err)
		}
		equal(t, "left: unsent, a week old, the newest of two other schedules", left, 4)
		equal(t, "added again", must[int](t)(l.AddDue(t.Context(), []Tick{edge, newest, unsent})), 0)
		equal(t, "deleted again", must[int](t)(l.DeleteTicks(t.Context(), noon.Add(-7*day))), 0)
		if _, err := l.DeleteTicks(t.Context(), time.Time{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("zero time: %v", err)
		}
	})
}

func TestTickErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a")
		good := tick("sync", 0)
		for _, bad := range []Tick{
			{},
			{Tenant: "", Schedule: "sync", At: noon},
			{Tenant: "Clinic A", Schedule: "sync", At: noon},
			{Tenant: "clinic-a", At: noon},
			{Tenant: "clinic-a", Schedule: secret + "\n", At: noon},
			{Tenant: "clinic-a", Schedule: strings.Repeat("s", maxCode+1), At: noon},
			{Tenant: "clinic-a", Schedule: "sync"},
		} {
			_, err := l.AddDue(t.Context(), []Tick{good, bad})
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("AddDue(%+v) = %v", bad, err)
			}
			if err := l.MarkSent(t.Context(), bad, noon); !errors.Is(err, ErrInvalid) {
				t.Errorf("MarkSent(%+v) = %v", bad, err)
			}
		}
		if _, err := l.AddDue(t.Context(), []Tick{good, {Tenant: "clinic-x", Schedule: "sync", At: noon}}); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
		if _, err := l.AddDue(t.Context(), make([]Tick, maxTicks+1)); !errors.Is(err, ErrInvalid) {
			t.Errorf("too many ticks: %v", err)
		}
		if err := l.MarkSent(t.Context(), good, noon); !errors.Is(err, ErrNotFound) {
			t.Errorf("a tick of a rejected batch is stored: %v", err)
		}
		if err := l.MarkSent(t.Context(), good, time.Time{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("zero time: %v", err)
		}
		if _, err := l.Due(t.Context(), DueFilter{Limit: -1}); !errors.Is(err, ErrInvalid) {
			t.Errorf("negative limit: %v", err)
		}
		if _, err := l.LastTicks(t.Context(), "Clinic A", noon); !errors.Is(err, ErrInvalid) {
			t.Errorf("an invalid tenant: %v", err)
		}
	})
}
