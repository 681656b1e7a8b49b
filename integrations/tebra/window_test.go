package tebra

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever the vendor cuts and wherever it fails, the windows that were answered are every day once, in their order.
func TestWindowsCoverEveryDayOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := time.Date(2026, 2, 1, 15, 0, 0, 0, time.UTC)
		n, most, room := rapid.IntRange(1, 400).Draw(t, "days"), rapid.IntRange(1, 70).Draw(t, "most"), rapid.IntRange(1, 20).Draw(t, "room")
		failAt := rapid.SliceOfDistinct(rapid.IntRange(1, 30), rapid.ID[int]).Draw(t, "failures")
		last := first.AddDate(0, 0, n-1)
		calls := 0
		ask := func(from, to time.Time) ([]int, bool, error) {
			calls++
			if slices.Contains(failAt, calls) {
				return nil, false, errors.New("away")
			}
			d := days(from, to)
			if d > most {
				t.Fatalf("%d days are asked for at once, want at most %d", d, most)
			}
			return make([]int, d), d > room, nil
		}
		for at := first; days(at, last) >= 1; {
			for w, err := range walk(at, last, most, ask) {
				if !w.From.Equal(at) {
					t.Fatalf("window from %v, want from %v", w.From, at)
				}
				if err != nil {
					break
				}
				if len(w.Rows) != days(w.From, w.To) || w.Partial {
					t.Fatalf("%d rows for %d days, partial %t", len(w.Rows), days(w.From, w.To), w.Partial)
				}
				at = w.To.AddDate(0, 0, 1)
			}
		}
		if most := 3*n + 30; calls > most {
			t.Fatalf("%d calls, want at most %d", calls, most)
		}
	})
}

func TestOneDayThatIsTooMuchIsPartial(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for w, err := range walk(day, day.AddDate(0, 0, 4), 60, func(from, to time.Time) ([]int, bool, error) { return nil, true, nil }) {
		if err != nil || !w.Partial || days(w.From, w.To) != 1 {
			t.Errorf("%+v, %v", w, err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("%d windows, want 5", n)
	}
}
