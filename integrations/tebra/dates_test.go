package tebra

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// parseRowTime reads a time as in a row of a list with times of 12 hours.
func parseRowTime(text string, zones zonePair) (m moment, ok bool) {
	c := cell{reader: &reader{zones: zones}, hours: twelve, value: []byte(text)}
	m = c.moment()
	return m, len(c.unread) == 0
}

func parseRowDate(text string) (date string, ok bool) {
	c := cell{value: []byte(text)}
	date = c.date().Reveal()
	return date, len(c.unread) == 0
}

func TestRowTimes(t *testing.T) {
	t.Parallel()
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	wall := PracticeWall.pair(chicago)
	utc := func(y int, m time.Month, d, h, minute int) time.Time {
		return time.Date(y, m, d, h, minute, 0, 0, time.UTC)
	}
	for text, want := range map[string]time.Time{
		"2/24/2026 11:00:00 AM":       utc(2026, 2, 24, 17, 0),
		"02/04/2026 01:05:00 PM":      utc(2026, 2, 4, 19, 5),
		"7/4/2026 12:00:00 AM":        utc(2026, 7, 4, 5, 0),
		"7/4/2026 12:30 PM":           utc(2026, 7, 4, 17, 30),
		"7/4/2026":                    utc(2026, 7, 4, 5, 0),
		"2026-07-04":                  utc(2026, 7, 4, 5, 0),
		"2026-07-04T12:00:00":         utc(2026, 7, 4, 17, 0),
		"2026-07-04T12:00:00Z":        utc(2026, 7, 4, 12, 0),
		"2026-07-04T12:00:00-06:00":   utc(2026, 7, 4, 18, 0),
		" 2026-07-04 12:00:00 ":       utc(2026, 7, 4, 17, 0),
		"":                            {},
		"1/1/0001 12:00:00 AM":        {},
		"9999-12-31T23:59:59.9999999": {},
		"1/1/1753 12:00:00 AM":        {},
		"2/24/2206 9:00:00 AM":        {},
		"1/1/1899":                    {},
		"1/1/2200":                    {},
		"0001-01-01T00:00:00":         {},
	} {
		got, ok := parseRowTime(text, wall)
		if !ok || !got.first.Equal(want) || !got.second.Equal(want) {
			t.Errorf("%q: got %v, %t, want %v", text, got.first.UTC(), ok, want)
		}
	}
	for _, text := range []string{
		"2/30/2026", "2/29/2027 9:00:00 AM", "13/1/2026", "2/24/2026 24:00:00 AM", "2/24/2026 13:00:00 PM", "1/1/20266", "today",
		"2026-02-24T24:00:00", "24.02.2026", "1771952400",
	} {
		if got, ok := parseRowTime(text, wall); ok || !got.isZero() {
			t.Errorf("%q: got %v, want an error and the zero time", text, got.first)
		}
	}
}

func TestBirthDatesIgnoreZones(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"7/4/1980 12:00:00 AM": "1980-07-04", "1980-07-04T00:00:00": "1980-07-04", "7/4/1980": "1980-07-04",
		"7/4/1980 11:59:59 PM": "1980-07-04", "7/4/1080 12:00:00 AM": "1080-07-04", "1753-01-01T00:00:00": "1753-01-01", "": "", "1/1/0001 12:00:00 AM": "",
	} {
		if got, ok := parseRowDate(text); !ok || got != want {
			t.Errorf("%q: got %q, %t, want %q", text, got, ok, want)
		}
	}
}

func TestDayBoundsCoverTheDay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14, 14).Draw(t, "offset")*3600)
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0).In(zone)
		n := rapid.IntRange(1, 400).Draw(t, "days")
		to := time.Date(from.Year(), from.Month(), from.Day()+n-1, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, zone)
		if got := days(from, to); got != n {
			t.Fatalf("days(%v, %v) = %d, want %d", from, to, got, n)
		}
		wall := PracticeWall.pair(zone)
		first, ok := parseRowTime(wall.startOfDay(from), wall)
		last, ok2 := parseRowTime(wall.endOfDay(from), wall)
		if !ok || !ok2 || first.first.After(from) || last.first.Before(from) || last.first.Sub(first.first) != 24*time.Hour-time.Second {
			t.Fatalf("%v is not within %v to %v", from, first.first, last.first)
		}
	})
	if utcPair.startOfDay(time.Time{}) != "" || utcPair.endOfDay(time.Time{}) != "" {
		t.Error("the zero time is formatted as a day")
	}
}
