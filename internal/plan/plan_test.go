package plan

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
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
			t.Errorf("it starts at %v", got)
		}
		<-time.After(time.Minute)
		if got, want := c.Now(), origin.Add(10*time.Hour); !got.Equal(want) {
			t.Errorf("after a minute it shows %v, want %v", got, want)
		}
		if got := c.Real(10 * time.Minute); got != time.Second {
			t.Errorf("ten minutes of the calendar take %v", got)
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

func TestParseSpecRejectsBadSpecs(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"", "  ", "TZ=", "TZ=0", "CRON_TZ=UTC", "TZ= * * * * *", "* * * * * *", "* * * *", "60 * * * *", "* 24 * * *",
		"* * 0 * *", "* * 32 * *", "* * * 13 *", "0 0 31 2 *", "0 0 30 2 *", "*/0 * * * *", "5-1 * * * *", "-1 * * * *",
		"1.5 * * * *", "@every 0s", "@every -1h", "@reboot", "@hourly", "* * * * *\n* * * * *",
		strings.Repeat("1,", 200) + "1 * * * *", "٣ * * * *",
	} {
		if _, err := parseSpec(bad); !errors.Is(err, errSpec) {
			t.Errorf("%.30q is accepted (%v)", bad, err)
		}
	}
	for _, good := range []string{"*/2 * * * *", "15 5 * * 1-5", "0 0 29 2 *"} {
		if _, err := parseSpec(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestLatestTick(t *testing.T) {
	t.Parallel()
	const zone = "America/New_York"
	always := func(time.Time) bool { return true }
	for name, c := range map[string]struct{ spec, last, now, want string }{
		"one":                    {"*/2 * * * *", "2026-03-02 08:00:00", "2026-03-02 08:02:00", "2026-03-02 08:02:00 -0500"},
		"none yet":               {"*/2 * * * *", "2026-03-02 08:00:00", "2026-03-02 08:01:59", ""},
		"not again":              {"*/2 * * * *", "2026-03-02 08:02:00", "2026-03-02 08:02:00", ""},
		"several missed":         {"*/2 * * * *", "2026-03-02 08:00:00", "2026-03-02 08:09:00", "2026-03-02 08:08:00 -0500"},
		"the hour is skipped":    {"30 2 * * *", "2026-03-08 00:00:00", "2026-03-08 12:00:00", ""},
		"the hour occurs twice":  {"30 1 * * *", "2026-11-01 00:00:00", "2026-11-01 12:00:00", "2026-11-01 01:30:00 -0500"},
		"the first of the two":   {"30 1 * * *", "2026-11-01 00:00:00", "2026-11-01 01:45:00", "2026-11-01 01:30:00 -0400"},
		"noon of a shorter day":  {"0 12 * * *", "2026-03-08 00:00:00", "2026-03-08 13:00:00", "2026-03-08 12:00:00 -0400"},
		"six years were missed":  {"* * * * *", "2020-01-01 00:00:00", "2026-03-02 08:00:00", "2026-03-02 08:00:00 -0500"},
		"longer ago than a week": {"0 0 1 1 *", "2020-01-01 00:00:00", "2026-03-02 08:00:00", ""},
	} {
		s, err := parseSpec(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if at := latestTick(s, always, at(t, zone, c.last), at(t, zone, c.now)); !at.IsZero() {
			got = at.Format("2006-01-02 15:04:05 -0700")
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Every morning the schedule of the next days is read together with as many days as the vendor
// allows.
func TestEveryMorningLooksBack(t *testing.T) {
	t.Parallel()
	for _, s := range Standard() {
		if s.Name != "boards" {
			continue
		}
		want := tasks.SyncSchedule{Practice: "7", From: tasks.DateOf(at(t, "UTC", "2026-03-02 06:45:00")), Lookback: 52}
		want.To = want.From.Add(near)
		if args := s.Args("7", at(t, "UTC", "2026-03-02 06:45:00")); args[0] != tasks.Args(want) {
			t.Errorf("it demands %+v", args[0])
		}
		return
	}
	t.Error("there is no such schedule")
}
