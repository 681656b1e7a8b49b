package plan

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/ledger"
)

func at(t *testing.T, zone, text string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	v, err := time.ParseInLocation("2006-01-02 15:04:05", text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		origin := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		c := NewClock(origin, 600)
		if got := c.Now(); !got.Equal(origin) {
			t.Errorf("starts at %v", got)
		}
		<-time.After(time.Minute)
		if got, want := c.Now(), origin.Add(10*time.Hour); !got.Equal(want) {
			t.Errorf("after a minute it shows %v, want %v", got, want)
		}
		if got := c.Real(10 * time.Minute); got != time.Second {
			t.Errorf("ten minutes of it take %v", got)
		}
		if got := (Clock{}).Now(); !got.Equal(time.Now()) {
			t.Errorf("the zero clock shows %v", got)
		}
	})
}

func TestIsOpen(t *testing.T) {
	t.Parallel()
	h := ledger.Hours{"mon": "08:00-17:30", "tue": "00:00-24:00"}
	for text, want := range map[string]bool{
		"2026-03-02 07:59:59": false, "2026-03-02 08:00:00": true, "2026-03-02 17:29:59": true,
		"2026-03-02 17:30:00": false, "2026-03-03 00:00:00": true, "2026-03-03 23:59:59": true, "2026-03-04 10:00:00": false,
	} {
		if got := IsOpen(h, at(t, "America/Chicago", text)); got != want {
			t.Errorf("open at %s: %v", text, got)
		}
	}
	if !IsOpen(nil, at(t, "UTC", "2026-03-04 03:00:00")) {
		t.Error("a practice without hours is closed")
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "  ", "TZ=", "TZ=0", "CRON_TZ=UTC", "TZ= * * * * *", "* * * * * *", "* * * *", "60 * * * *", "* 24 * * *",
		"* * 0 * *", "* * 32 * *", "* * * 13 *", "0 0 31 2 *", "0 0 30 2 *", "*/0 * * * *", "5-1 * * * *", "-1 * * * *",
		"1.5 * * * *", "@every 0s", "@every -1h", "@reboot", "@hourly", "* * * * *\n* * * * *",
		strings.Repeat("1,", 200) + "1 * * * *", "٣ * * * *",
	} {
		if _, err := parseSpec(bad); !errors.Is(err, ErrSpec) {
			t.Errorf("%.30q is accepted (%v)", bad, err)
		}
	}
	for _, good := range []string{"*/2 * * * *", "15 5 * * 1-5", "0 0 29 2 *"} {
		if _, err := parseSpec(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	const zone = "America/New_York"
	always := func(time.Time) bool { return true }
	for name, c := range map[string]struct {
		spec      string
		policy    Missed
		last, now string
		want      []string
	}{
		"one":                     {"*/2 * * * *", MissedOnce, "2026-03-02 08:00:00", "2026-03-02 08:02:00", []string{"08:02"}},
		"none yet":                {"*/2 * * * *", MissedOnce, "2026-03-02 08:00:00", "2026-03-02 08:01:59", nil},
		"not again":               {"*/2 * * * *", MissedAll, "2026-03-02 08:02:00", "2026-03-02 08:02:00", nil},
		"missed, the latest":      {"*/2 * * * *", MissedOnce, "2026-03-02 08:00:00", "2026-03-02 08:09:00", []string{"08:08"}},
		"missed, all":             {"*/2 * * * *", MissedAll, "2026-03-02 08:00:00", "2026-03-02 08:06:00", []string{"08:02", "08:04", "08:06"}},
		"missed, none":            {"30 * * * *", MissedSkip, "2026-03-02 08:00:00", "2026-03-02 11:00:00", nil},
		"missed, the only one":    {"30 8 * * *", MissedSkip, "2026-03-02 08:00:00", "2026-03-02 11:00:00", nil},
		"missed but just now":     {"30 * * * *", MissedSkip, "2026-03-02 08:00:00", "2026-03-02 11:30:05", []string{"11:30"}},
		"the hour that is jumped": {"30 2 * * *", MissedAll, "2026-03-08 00:00:00", "2026-03-08 12:00:00", nil},
		"the hour that is twice":  {"30 1 * * *", MissedAll, "2026-11-01 00:00:00", "2026-11-01 12:00:00", []string{"01:30", "01:30"}},
		"noon on a jumping day":   {"0 12 * * *", MissedAll, "2026-03-08 00:00:00", "2026-03-08 13:00:00", []string{"12:00"}},
	} {
		s, err := parseSpec(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, tk := range ticks(s, c.policy, always, at(t, zone, c.last), at(t, zone, c.now)) {
			got = append(got, tk.Format("15:04"))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	s, err := parseSpec("* * * * *")
	if err != nil {
		t.Fatal(err)
	}
	got := ticks(s, MissedAll, always, at(t, zone, "2020-01-01 00:00:00"), at(t, zone, "2026-03-02 08:00:00"))
	if len(got) != maxMissed {
		t.Errorf("six years of minutes gave %d ticks, the bound is %d", len(got), maxMissed)
	}
}
