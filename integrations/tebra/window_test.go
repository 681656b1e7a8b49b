package tebra

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zonesWithGaps include zones that skipped a midnight, west and east of Greenwich, and one that
// skipped a day.
var zonesWithGaps = []string{"UTC", "America/Chicago", "America/Sao_Paulo", "America/Havana", "Asia/Beirut", "Pacific/Apia", "Asia/Gaza"}

// Regardless of partial and failed windows, successful windows contain every day once and in order,
// each with as much of its lookback as there is room for beside a single day.
func TestWindowsCoverEveryDayOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zonesWithGaps).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		start := rapid.IntRange(0, 20*365).Draw(t, "start")
		first := time.Date(2008, 1, 1+start, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, zone)
		n, most, limit := rapid.IntRange(1, 400).Draw(t, "days"), rapid.IntRange(1, 70).Draw(t, "most"), rapid.IntRange(1, 20).Draw(t, "room")
		lookback := rapid.IntRange(0, most-1).Draw(t, "lookback")
		failAt := rapid.SliceOfDistinct(rapid.IntRange(1, 30), rapid.ID[int]).Draw(t, "failures")
		last := day(first).AddDate(0, 0, n-1)
		calls, covered := 0, 0
		fetch := func(from, to time.Time) (rowsOf[struct{}], error) {
			calls++
			if slices.Contains(failAt, calls) {
				return rowsOf[struct{}]{}, errors.New("unavailable")
			}
			d := days(from, to)
			if d > most {
				t.Fatalf("%d days in one request, want at most %d", d, most)
			}
			return rowsOf[struct{}]{collected{partial: d > limit}, make([]struct{}, d)}, nil
		}
		for at := first; days(at, last) >= 1; {
			for w, err := range readWindows(at, last, most, lookback, fetch) {
				if !w.From.Equal(day(at)) {
					t.Fatalf("window from %v, want from %v", w.From, at)
				}
				if err != nil {
					break
				}
				back := lookback
				for back+1 > limit {
					back /= 8
				}
				seen := w.From.AddDate(0, 0, -back)
				if len(w.Rows) != days(w.Seen, w.To) || !w.Seen.Equal(seen) || w.Partial {
					t.Fatalf("%d rows for %d days, seen from %v, partial %t", len(w.Rows), days(w.From, w.To), w.Seen, w.Partial)
				}
				covered += days(w.From, w.To)
				at = w.To.AddDate(0, 0, 1)
			}
		}
		if most := 3*n + 40; calls > most || covered != n {
			t.Fatalf("%d calls covered %d days, want at most %d and %d", calls, covered, most, n)
		}
	})
}

// One busy week must not cause small windows for the rest of the year.
func TestWindowsGrowAfterBusyDays(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	calls := 0
	for w, err := range readWindows(first, first.AddDate(0, 0, 599), 60, 0, func(from, to time.Time) (rowsOf[struct{}], error) {
		calls++
		rows := 10 * days(from, to)
		if from.Before(first.AddDate(0, 0, 7)) {
			rows = 6000 * days(from, to)
		}
		return rowsOf[struct{}]{collected{partial: rows >= maxRows}, make([]struct{}, min(rows, maxRows))}, nil
	}) {
		if err != nil || w.Partial {
			t.Fatalf("%+v, %v", w, err)
		}
	}
	if calls > 30 {
		t.Errorf("%d calls for 600 days with 7 busy ones, want at most 30", calls)
	}
}

func TestSingleDayAtTheRowLimitIsPartial(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for w, err := range readWindows(day, day.AddDate(0, 0, 4), 60, 0, func(from, to time.Time) (rowsOf[int], error) {
		return rowsOf[int]{collected: collected{partial: true}}, nil
	}) {
		if err != nil || !w.Partial || days(w.From, w.To) != 1 {
			t.Errorf("%+v, %v", w, err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("%d windows, want 5", n)
	}
}
