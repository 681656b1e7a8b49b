package app

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// entered is an appointment as the practice's staff enter it, and its times on the board.
type entered struct {
	clock  string // date and time of day
	length time.Duration
	later  time.Duration // to choose the second of two times that the clocks show
	want   string        // start and end on the board of that date
}

// Two practices of one account are in two zones whose clocks change at different instants. What
// staff enter for a time that the clocks skip or show twice is on the board of its day, at the time
// and with the length at which it takes place.
func TestBoardsAcrossChangesOfTheClocks(t *testing.T) {
	t.Parallel()
	const spring, autumn = "2027-03-14", "2027-11-07"
	sys := build(t, func(c *tebratest.Config) {
		practices := c.Accounts[0].Practices
		practices[1].Zone = "America/New_York"
		practices[0].VisitsPerDay, practices[1].VisitsPerDay = -1, -1
	})
	all := []entered{
		{spring + " 01:45", 30 * time.Minute, 0, "01:45 03:15"}, // across the gap
		{spring + " 02:30", 30 * time.Minute, 0, "03:30 04:00"}, // in the gap
		{spring + " 09:00", 45 * time.Minute, 0, "09:00 09:45"},
		{autumn + " 00:45", 90 * time.Minute, 0, "00:45 01:15"},         // into the second hour
		{autumn + " 01:30", 30 * time.Minute, 0, "01:30 01:00"},         // from the first hour into the second
		{autumn + " 01:30", 30 * time.Minute, time.Hour, "01:30 02:00"}, // from the second hour
		{autumn + " 23:30", 30 * time.Minute, 0, "23:30 00:00"},
	}
	for _, clinic := range sys.vendor.Clinics() {
		patient := clinic.Patients()[0].ID
		for _, e := range all {
			clock, err := time.Parse("2006-01-02 15:04", e.clock)
			if err != nil {
				t.Fatal(err)
			}
			id, err := clinic.BookAt(patient, clock, e.length, 0)
			if err == nil && e.later > 0 {
				var v tebratest.Visit
				if v, err = clinic.Appointment(id); err == nil {
					err = clinic.Move(id, v.Start.Add(e.later))
				}
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	sys.work(t)
	a, _ := sys.serve(t, func(o *GatewayOptions) { o.Limits.ColdWait = 30 * time.Second })
	for practice, zone := range map[string]string{"1": "America/Chicago", "2": "America/New_York"} {
		for _, date := range []string{spring, autumn} {
			got := readDay(a, "/v1/practices/"+practice+"/board?date="+date)
			if got.Zone != zone || got.Date != date {
				t.Errorf("practice %s: %s in %s", practice, got.Date, got.Zone)
			}
			got.compare(t, practice, zone, date, all)
		}
	}
}

// dayDoc is a board in the API's JSON.
type dayDoc struct {
	Zone string
	Date string
	Rows []struct{ Start, End time.Time }
}

func readDay(a *api, path string) (doc dayDoc) {
	a.t.Helper()
	status, body := a.read(path, "")
	if status != http.StatusOK {
		a.t.Fatalf("%d %s", status, body)
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		a.t.Fatal(err)
	}
	return doc
}

// compare checks the times and lengths of the rows, which are in the order of their start.
func (d dayDoc) compare(t *testing.T, practice, name, date string, all []entered) {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range all {
		if e.clock[:10] == date {
			want = append(want, e.want+" "+e.length.String())
		}
	}
	for _, r := range d.Rows {
		if _, offset := r.Start.Zone(); offset != offsetOf(r.Start, zone) {
			t.Errorf("practice %s writes %v", practice, r.Start)
		}
		got = append(got, r.Start.Format("15:04")+" "+r.End.Format("15:04")+" "+r.End.Sub(r.Start).String())
	}
	if !slices.IsSortedFunc(d.Rows, func(a, b struct{ Start, End time.Time }) int { return a.Start.Compare(b.Start) }) {
		t.Errorf("practice %s: rows are not in the order of their start: %v", practice, d.Rows)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("practice %s on %s (-want +got):\n%s", practice, date, diff)
	}
}

func offsetOf(t time.Time, zone *time.Location) int {
	_, offset := t.In(zone).Zone()
	return offset
}
