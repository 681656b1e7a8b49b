package civil

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func date(t *testing.T, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestParseDate(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"1900-01-01", "1900-02-28", "1970-01-01", "2000-02-29", "2026-03-02", "2199-12-31"} {
		if d := date(t, s); d.String() != s {
			t.Errorf("%s is written %s", s, d)
		}
	}
	for _, s := range []string{
		"", "0001-01-01", "1899-12-31", "2200-01-01", "9999-12-31", "2025-02-29", "1900-02-29", "2026-3-2", "2026-03-02 ",
		"2026-03-02T00:00:00Z", "03/02/2026", "-2026-03-02", "20266-01-01",
	} {
		if d, err := ParseDate(s); err == nil || !d.IsZero() {
			t.Errorf("ParseDate(%q) = %s", s, d)
		} else if s != "" && strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats the text: %v", err)
		}
	}
}

func TestDateOfUsesTheTimesOwnLocation(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 5, 59, 0, 0, time.UTC)
	if got := DateOf(at); got != date(t, "2026-03-02") {
		t.Errorf("in UTC: %s", got)
	}
	if got := DateOf(at.In(zone(t, "America/Chicago"))); got != date(t, "2026-03-01") {
		t.Errorf("in Chicago: %s", got)
	}
	for _, year := range []int{-1, 1, 1899, 2200, 9999} {
		if got := DateOf(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)); !got.IsZero() {
			t.Errorf("a time in the year %d gives %s", year, got)
		}
	}
}

func TestArithmetic(t *testing.T) {
	t.Parallel()
	feb, mar := date(t, "2024-02-28"), date(t, "2024-03-01")
	if got := feb.Add(2); got != mar {
		t.Errorf("two days after %s is %s", feb, got)
	}
	if feb.Days(mar) != 2 || mar.Days(feb) != -2 || feb.Compare(mar) >= 0 || mar.Compare(feb) <= 0 || feb.Compare(feb.Add(0)) != 0 {
		t.Errorf("%s and %s: %d days, compare %d", feb, mar, feb.Days(mar), feb.Compare(mar))
	}
	if got := Range(feb, mar); !slices.Equal(got, []Date{feb, date(t, "2024-02-29"), mar}) {
		t.Errorf("Range = %s", got)
	}
	if len(Range(mar, feb))+len(Range(Date{}, mar))+len(Range(mar, Date{})) != 0 {
		t.Error("a reversed range, or one without an end, has days")
	}
	first, last := date(t, "1900-01-01"), date(t, "2199-12-31")
	if first.Add(-1) != first || last.Add(1) != last || feb.Add(-1<<40) != first || feb.Add(1<<40) != last || !(Date{}).Add(1).IsZero() {
		t.Error("Add leaves the range")
	}
	for _, d := range []Date{first, feb, last} {
		if before, after := d.Add(math.MinInt), d.Add(math.MaxInt); before != first || after != last {
			t.Errorf("the farthest days from %s are %s and %s", d, before, after)
		}
	}
	if (Date{}).Compare(date(t, "1900-01-01")) >= 0 || (Date{}).String() != "" || !(Date{}).In(time.UTC).IsZero() {
		t.Error("the zero Date is a day")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	type doc struct {
		On Date `json:"on,omitzero"`
	}
	in := doc{date(t, "2026-03-02")}
	data, err := json.Marshal(in)
	if err != nil || string(data) != `{"on":"2026-03-02"}` {
		t.Errorf("Marshal = %s, %v", data, err)
	}
	var out doc
	if err := json.Unmarshal(data, &out); err != nil || out != in {
		t.Errorf("Unmarshal = %v, %v", out, err)
	}
	if data, err := json.Marshal(doc{}); err != nil || string(data) != "{}" {
		t.Errorf("no day is written %s, %v", data, err)
	}
	if _, err := json.Marshal([]Date{{}}); err == nil {
		t.Error("the zero Date is written")
	}
	if err := json.Unmarshal([]byte(`{"on":"2026-02-30"}`), &out); err == nil {
		t.Errorf("30 February is read as %s", out.On)
	}
}

func TestEveryDateSurvivesText(t *testing.T) {
	t.Parallel()
	for _, d := range Range(date(t, "1900-01-01"), date(t, "2199-12-31")) {
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Date
		if err := got.UnmarshalText(text); err != nil || got != d {
			t.Fatalf("%s is read as %s, %v", d, got, err)
		}
	}
}

func FuzzParseDate(f *testing.F) {
	f.Add("2026-11-23")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDate(s); err == nil && d.String() != s {
			t.Errorf("%q is read as %q", s, d)
		}
	})
}

// zones have skipped and repeated midnights, skipped and repeated days, offsets with seconds, and
// none of these.
var zones = []string{
	"UTC", "America/Chicago", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "America/Havana", "Asia/Beirut",
	"Atlantic/Azores", "America/St_Johns", "Pacific/Apia", "Pacific/Kwajalein", "Asia/Manila", "Africa/Cairo", "Africa/Monrovia",
}

func TestInReturnsTheFirstInstantOfTheDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, day, want string }{
		{"America/Chicago", "2026-03-02", "2026-03-02T06:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"}, // 00:00 is skipped: 01:00 at -02
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"}, // 23:00 to 24:00 of the day before comes twice
		{"Atlantic/Azores", "2025-10-26", "2025-10-26T00:00:00Z"},   // 00:00 to 01:00 comes twice: the first, at +00
		{"America/Havana", "2026-03-08", "2026-03-08T05:00:00Z"},    // 00:00 is skipped
		{"America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"},    // 00:00 to 01:00 comes twice
		{"America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z"},  // at 00:01 the clocks go back into the day before
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"},      // the day does not exist
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z"},
	} {
		got := date(t, c.day).In(zone(t, c.zone))
		if text := got.UTC().Format(time.RFC3339); text != c.want || got.Location().String() != c.zone {
			t.Errorf("%s in %s begins at %s in %s, want %s", c.day, c.zone, text, got.Location(), c.want)
		}
	}
}

// Every day of every zone begins with the first instant at which the zone's clock shows that day or
// a later one.
func TestInOnEveryDay(t *testing.T) {
	t.Parallel()
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			loc := zone(t, name)
			for d := date(t, "1900-01-02"); d.Compare(date(t, "2199-12-30")) <= 0; d = d.Add(1) {
				start := d.In(loc)
				if shows, before := DateOf(start), DateOf(start.Add(-1)); shows.Compare(d) < 0 || before.Compare(d) >= 0 {
					t.Fatalf("%s begins at %s, an instant before which it was %s", d, start, before)
				}
				if first, ok := firstMinute(d, loc); ok && (start.After(first) || first.Sub(start) >= time.Minute) {
					t.Fatalf("%s begins at %s, want the minute before %s", d, start, first)
				}
			}
		})
	}
}

// firstMinute finds the first full minute of a day by trying each, for days on which the clocks
// change; ok is false for the others, on which nothing can be earlier.
func firstMinute(d Date, loc *time.Location) (first time.Time, ok bool) {
	from, to := d.utc().Add(-26*time.Hour).In(loc), d.utc().Add(26*time.Hour).In(loc)
	_, a := from.Zone()
	_, b := to.Zone()
	if a == b {
		return time.Time{}, false
	}
	for first = from; DateOf(first).Compare(d) < 0; first = first.Add(time.Minute) {
	}
	return first, true
}
