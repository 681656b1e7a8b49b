package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestHours(t *testing.T) {
	t.Parallel()
	hours := Hours{"mon": "08:00-17:30", "sun": "00:00-24:00", "tue": "17:00-08:00"}
	for day, want := range map[time.Weekday][]time.Duration{
		time.Monday: {8 * time.Hour, 17*time.Hour + 30*time.Minute},
		time.Sunday: {0, 24 * time.Hour},
	} {
		opens, closes, open := hours.On(day)
		equal(t, day.String(), []any{opens, closes, open}, []any{want[0], want[1], true})
	}
	for _, day := range []time.Weekday{time.Tuesday, time.Wednesday} {
		if _, _, open := hours.On(day); open {
			t.Errorf("open on %s", day)
		}
	}
	for _, value := range []string{
		"", "-", "08:00", "08:00-", "8:00-9:00", "08:00-08:00", "09:00-08:00", "08:00-24:01", "24:00-24:00", "08:00-25:00",
		"08:60-09:00", "08:00 - 09:00", "08:00–09:00", "08:00-09:00-10:00", "+8:00-09:00", "08:00:00-09:00:00", "0800-0900",
	} {
		if err := (Hours{"mon": value}).check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("hours %q = %v, want ErrInvalid", value, err)
		}
	}
	for _, day := range []string{"Mon", "monday", "", "xyz"} {
		if err := (Hours{day: "08:00-09:00"}).check(); !errors.Is(err, ErrInvalid) {
			t.Errorf("day %q = %v, want ErrInvalid", day, err)
		}
	}
}

// Every accepted value is in the canonical form of its meaning.
func FuzzHours(f *testing.F) {
	for _, seed := range []string{"08:00-17:30", "00:00-24:00", "24:00-24:00", "8:00-9:00", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		opens, closes, ok := parseHours(value)
		if !ok {
			return
		}
		clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
		if again := clock(opens) + "-" + clock(closes); again != value || opens >= closes || closes > 24*time.Hour {
			t.Errorf("%q parses as %s", value, again)
		}
	})
}
