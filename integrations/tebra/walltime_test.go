package tebra

import (
	"archive/zip"
	"crypto/sha256"
	"go/build"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every row around every change of the clocks that a practice will meet, in all zones.
func TestRowsInAllZones(t *testing.T) {
	t.Parallel()
	zones, changes, rows := 0, 0, 0
	for _, zone := range allZones(t) {
		zones++
		for _, change := range changesOf(zone, 2015, 2035) {
			changes++
			rows += checkChange(t, zone, change)
			if t.Failed() {
				return
			}
		}
	}
	t.Logf("%d zones, %d changes of the clocks, %d rows", zones, changes, rows)
	if zones < 300 || changes < 3000 {
		t.Error("zones or changes are missing")
	}
}

// checkChange reads rows whose start or end is near a change of the clocks.
func checkChange(t *testing.T, zone *time.Location, change time.Time) (rows int) {
	wall, utc := PracticeWall.pair(zone), Greenwich.pair(zone)
	read := func(pair zonePair, start, end time.Time, length time.Duration) (day, from, to time.Time) {
		rows++
		s := span{zone: zone, start: pair.moment(start, false), end: pair.moment(end, false), length: length}
		from, to = s.resolve()
		return s.start.day(), from, to
	}
	for at := change.Add(-2 * time.Hour); at.Before(change.Add(2 * time.Hour)); at = at.Add(30 * time.Minute) {
		for _, length := range []time.Duration{20 * time.Minute, 90 * time.Minute} {
			start, end := onClock(at), onClock(at.Add(length))
			shown, from, to := read(wall, start, end, length)
			if !onClock(from).Equal(start) || !onClock(to).Equal(end) || to.Sub(from) != length || !shown.Equal(day(start)) {
				t.Errorf("%v: %v for %v is read as %v to %v on %v", zone, start, length, from, to, shown)
			}
			if _, from, to = read(wall, start, end, 0); to.Before(from) || !onClock(from).Equal(start) || !onClock(to).Equal(end) {
				t.Errorf("%v: %v to %v is read as %v to %v", zone, start, end, from, to)
			}
			shown, from, to = read(utc, at.UTC(), at.Add(length).UTC(), length)
			if !from.Equal(at) || to.Sub(from) != length || !shown.Equal(day(start)) {
				t.Errorf("%v: %v for %v in UTC is read as %v to %v on %v", zone, at.UTC(), length, from, to, shown)
			}
		}
		checkWall(t, zone, onClock(at))
	}
	// What the clocks skip is read as if they did not.
	gap := offsetAt(change) - offsetAt(change.Add(-time.Second))
	for skipped := time.Duration(0); skipped < gap; skipped += 10 * time.Minute {
		start := onClock(change).Add(skipped - gap)
		for _, length := range []time.Duration{0, 20 * time.Minute, 90 * time.Minute} {
			shown, from, to := read(wall, start, start.Add(20*time.Minute), length)
			want := length
			if length == 0 {
				want = 20 * time.Minute
			}
			if !onClock(from).Equal(start.Add(gap)) || to.Sub(from) != want || !shown.Equal(day(start)) {
				t.Errorf("%v: %v, which the clocks skip, is read as %v to %v on %v", zone, start, from, to, shown)
			}
		}
		checkWall(t, zone, start)
	}
	return rows
}

// checkWall compares instants with all offsets that the zone has around the time.
func checkWall(t *testing.T, zone *time.Location, wall time.Time) {
	t.Helper()
	var shown []time.Time
	for near := wall.Add(-30 * time.Hour); near.Before(wall.Add(30 * time.Hour)); near = near.Add(6 * time.Hour) {
		if at := wall.Add(-offsetAt(near.In(zone))).In(zone); onClock(at).Equal(wall) && !slices.ContainsFunc(shown, at.Equal) {
			shown = append(shown, at)
		}
	}
	slices.SortFunc(shown, time.Time.Compare)
	early, late, skipped := instants(wall, zone)
	switch {
	case len(shown) > 2:
		t.Errorf("%v shows %v %d times", zone, wall, len(shown))
	case skipped != (len(shown) == 0):
		t.Errorf("%v: %v is skipped: %t", zone, wall, skipped)
	case !skipped && (!early.Equal(shown[0]) || !late.Equal(shown[len(shown)-1])):
		t.Errorf("%v: %v is %v and %v, want %v", zone, wall, early, late, shown)
	}
}

// changesOf returns the instants from the first year to the last at which the offset changes.
func changesOf(zone *time.Location, first, last int) (found []time.Time) {
	const step = 4 * 24 * time.Hour
	end := time.Date(last+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for from := time.Date(first, 1, 1, 0, 0, 0, 0, time.UTC); from.Before(end); from = from.Add(step) {
		low, high := from, from.Add(step)
		if offsetAt(low.In(zone)) == offsetAt(high.In(zone)) {
			continue
		}
		for high.Sub(low) > time.Second {
			if half := low.Add(high.Sub(low) / 2).Truncate(time.Second); offsetAt(half.In(zone)) == offsetAt(low.In(zone)) {
				low = half
			} else {
				high = half
			}
		}
		found = append(found, high.In(zone))
	}
	return found
}

// allZones returns the zones of the zone data that Go embeds into programs, each content once.
func allZones(t *testing.T) (zones []*time.Location) {
	t.Helper()
	archive, err := zip.OpenReader(filepath.Join(build.Default.GOROOT, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	seen := map[[sha256.Size]byte]bool{}
	for _, f := range archive.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocationFromTZData(f.Name, data)
		if err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		if sum := sha256.Sum256(data); !seen[sum] {
			seen[sum] = true
			zones = append(zones, zone)
		}
	}
	return zones
}

// In UTC, the request for a day includes every instant of it, and little else.
func TestGreenwichDaysInAllZones(t *testing.T) {
	t.Parallel()
	for _, zone := range allZones(t) {
		pair := Greenwich.pair(zone)
		for _, change := range changesOf(zone, 2026, 2029) {
			for _, near := range []time.Time{change.Add(-time.Second), change} {
				today := day(onClock(near))
				first, ok := parseRowTime(pair.startOfDay(today), utcPair)
				last, ok2 := parseRowTime(pair.endOfDay(today), utcPair)
				begins, ends := boundsOf(zone, today)
				if !ok || !ok2 || first.first.After(begins) || last.first.Before(ends.Add(-time.Second)) || last.first.Sub(first.first) > 27*time.Hour {
					t.Fatalf("%v on %v: %v to %v do not include %v to %v", zone, today, first.first, last.first, begins, ends)
				}
			}
		}
	}
}

// boundsOf returns the first instant of a day and the first one after it, to a quarter of an hour.
func boundsOf(zone *time.Location, today time.Time) (first, after time.Time) {
	for at := today.Add(-clockRange); at.Before(today.Add(24*time.Hour + clockRange)); at = at.Add(15 * time.Minute) {
		if day(at.In(zone)).Equal(today) {
			if first.IsZero() {
				first = at
			}
			after = at.Add(15 * time.Minute)
		}
	}
	return first, after
}

func TestMinutesAreBounded(t *testing.T) {
	t.Parallel()
	c := cell{value: []byte(strconv.Itoa(maxMinutes))}
	if got := c.minutes(); got != 366*24*time.Hour {
		t.Errorf("got %v", got)
	}
	c.value = []byte(strconv.Itoa(maxMinutes + 1))
	if got := c.minutes(); got != 0 {
		t.Errorf("got %v", got)
	}
}
