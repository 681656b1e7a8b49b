package tebra_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// readRow lists the appointments of a practice in zone, which are one row.
func readRow(t *testing.T, zone *time.Location, members string) tebra.Appointment {
	t.Helper()
	body := appointments("<AppointmentData><ID>1</ID>" + members + "</AppointmentData>")
	c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
		return respond(200, xmlType, strings.NewReader(body)), nil
	}), nil)
	day := time.Date(2027, 3, 14, 0, 0, 0, 0, time.UTC)
	list, err := c.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{PracticeName: "P", From: day, To: day, Location: zone})
	if err != nil || len(list.Rows) != 1 {
		t.Fatalf("%d rows, %v", len(list.Rows), err)
	}
	return list.Rows[0]
}

// timesOfRow returns the members of a row; an empty text is left out.
func timesOfRow(start, end, minutes string, allDay bool) string {
	var b strings.Builder
	for _, m := range [][2]string{
		{"AllDay", map[bool]string{true: "True", false: "False"}[allDay]}, {"AppointmentDuration", minutes}, {"EndDate", end}, {"StartDate", start},
	} {
		if m[1] != "" {
			fmt.Fprintf(&b, "<%s>%s</%s>", m[0], m[1], m[0])
		}
	}
	return b.String()
}

// Times of the same day are on the clock of that day, in the zone after "in".
func TestRowsAcrossChangesOfTheClocks(t *testing.T) {
	t.Parallel()
	const spring, autumn = "3/14/2027", "11/7/2027" // in Chicago
	for _, c := range []struct {
		name, zone, start, end, minutes string
		allDay                          bool
		want                            string // start, end
		day                             string
	}{
		{"in the gap", "America/Chicago", spring + " 2:30 AM", spring + " 3:00 AM", "", false, "03:30-05:00 04:00-05:00", "2027-03-14"},
		{"in the gap, by length", "America/Chicago", spring + " 2:30 AM", spring + " 3:00 AM", "45", false, "03:30-05:00 04:15-05:00", "2027-03-14"},
		{"across the gap", "America/Chicago", spring + " 1:45 AM", spring + " 2:15 AM", "", false, "01:45-06:00 03:15-05:00", "2027-03-14"},
		{"across the gap, by length", "America/Chicago", spring + " 1:45 AM", spring + " 2:15 AM", "30", false, "01:45-06:00 03:15-05:00", "2027-03-14"},
		{"over the whole gap", "America/Chicago", spring + " 1:45 AM", spring + " 3:15 AM", "", false, "01:45-06:00 03:15-05:00", "2027-03-14"},
		{"over the whole gap, by length", "America/Chicago", spring + " 1:45 AM", spring + " 3:15 AM", "90", false, "01:45-06:00 04:15-05:00", "2027-03-14"},
		{"from the fold", "America/Chicago", autumn + " 1:30 AM", autumn + " 2:00 AM", "", false, "01:30-06:00 02:00-06:00", "2027-11-07"},
		{"from the fold, by length", "America/Chicago", autumn + " 1:30 AM", autumn + " 2:00 AM", "30", false, "01:30-06:00 02:00-06:00", "2027-11-07"},
		{"from the first of the fold", "America/Chicago", autumn + " 1:30 AM", autumn + " 2:00 AM", "90", false, "01:30-05:00 02:00-06:00", "2027-11-07"},
		{"within the fold", "America/Chicago", autumn + " 1:00 AM", autumn + " 1:30 AM", "30", false, "01:00-05:00 01:30-05:00", "2027-11-07"},
		{"to the second of the fold", "America/Chicago", autumn + " 1:00 AM", autumn + " 1:30 AM", "90", false, "01:00-05:00 01:30-06:00", "2027-11-07"},
		{"back within the fold", "America/Chicago", autumn + " 1:45 AM", autumn + " 1:15 AM", "", false, "01:45-05:00 01:15-06:00", "2027-11-07"},
		{"into the fold", "America/Chicago", autumn + " 12:45 AM", autumn + " 1:15 AM", "", false, "00:45-05:00 01:15-05:00", "2027-11-07"},
		{"over the fold", "America/Chicago", autumn + " 12:30 AM", autumn + " 3:00 AM", "", false, "00:30-05:00 03:00-06:00", "2027-11-07"},
		{"over the fold, by length", "America/Chicago", autumn + " 12:30 AM", autumn + " 3:00 AM", "210", false, "00:30-05:00 03:00-06:00", "2027-11-07"},
		{"half an hour of daylight saving", "Australia/Lord_Howe", "4/4/2027 1:45 AM", "4/4/2027 2:15 AM", "30", false, "01:45+10:30 02:15+10:30", "2027-04-04"},
		{"a gap of half an hour", "Australia/Lord_Howe", "10/3/2027 2:15 AM", "10/3/2027 2:45 AM", "30", false, "02:45+11:00 03:15+11:00", "2027-10-03"},
		{"forty-five minutes off", "Pacific/Chatham", "9/26/2027 2:50 AM", "9/26/2027 3:20 AM", "", false, "03:50+13:45 04:20+13:45", "2027-09-26"},
		{"no daylight saving", "Asia/Kathmandu", "3/14/2027 2:30 AM", "3/14/2027 3:00 AM", "", false, "02:30+05:45 03:00+05:45", "2027-03-14"},
		{"a skipped midnight", "America/Havana", "3/14/2027 12:00 AM", "3/14/2027 12:30 AM", "", false, "01:00-04:00 01:30-04:00", "2027-03-14"},
		{"a skipped hour before midnight", "America/Nuuk", "3/27/2027 11:30 PM", "3/28/2027 12:00 AM", "30", false, "00:30-01:00 01:00-01:00", "2027-03-27"},
		{"all day in spring", "America/Chicago", spring + " 12:00 AM", "3/15/2027 12:00 AM", "1440", true, "00:00-06:00 00:00-05:00", "2027-03-14"},
		{"all day in autumn", "America/Chicago", autumn + " 12:00 AM", "11/8/2027 12:00 AM", "", true, "00:00-05:00 00:00-06:00", "2027-11-07"},
		{"all day from a skipped midnight", "America/Havana", "3/14/2027", "3/15/2027", "", true, "01:00-04:00 00:00-04:00", "2027-03-14"},
		{"a block of days", "America/Chicago", "3/12/2027 8:00 AM", "3/17/2027 8:00 AM", "7200", false, "08:00-06:00 08:00-05:00", "2027-03-12"},
		{"a block of days without an end", "America/Chicago", "3/12/2027 8:00 AM", "", "7200", false, "08:00-06:00 08:00-05:00", "2027-03-12"},
		{"hours of several days", "America/Chicago", "3/12/2027 8:00 AM", "3/16/2027 5:00 PM", "540", false, "08:00-06:00 17:00-05:00", "2027-03-12"},
		{"hours of several days, without breaks", "America/Chicago", "3/12/2027 8:00 AM", "3/16/2027 5:00 PM", "480", false, "08:00-06:00 17:00-05:00", "2027-03-12"},
		{"hours of two days", "America/Chicago", "3/12/2027 8:00 AM", "3/13/2027 5:00 PM", "540", false, "08:00-06:00 17:00-06:00", "2027-03-12"},
		{"hours of days from the gap", "America/Chicago", spring + " 2:30 AM", "3/16/2027 5:00 PM", "540", false, "03:30-05:00 17:00-05:00", "2027-03-14"},
		{"hours of days from the fold", "America/Chicago", autumn + " 1:30 AM", "11/8/2027 2:00 AM", "30", false, "01:30-05:00 02:00-06:00", "2027-11-07"},
		{"overnight, by length", "America/Chicago", "3/12/2027 10:00 PM", "3/13/2027 6:00 AM", "450", false, "22:00-06:00 05:30-06:00", "2027-03-12"},
		{"without an end", "America/Chicago", "3/12/2027 8:00 AM", "", "20", false, "08:00-06:00 08:20-06:00", "2027-03-12"},
		{"a length of its own", "America/Chicago", "3/12/2027 8:00 AM", "3/12/2027 9:00 AM", "20", false, "08:00-06:00 08:20-06:00", "2027-03-12"},
		{"a length of nothing", "America/Chicago", "3/12/2027 8:00 AM", "3/12/2027 9:00 AM", "0", false, "08:00-06:00 09:00-06:00", "2027-03-12"},
		{"an end before the start", "America/Chicago", "3/12/2027 8:00 AM", "3/12/2027 7:00 AM", "", false, "08:00-06:00 08:00-06:00", "2027-03-12"},
		{"times with their zone", "America/Chicago", "2027-03-14T08:30:00Z", "2027-03-14T09:00:00Z", "30", false, "03:30-05:00 04:00-05:00", "2027-03-14"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		a := readRow(t, zone, timesOfRow(c.start, c.end, c.minutes, c.allDay))
		got := a.Start.Format("15:04-07:00") + " " + a.End.Format("15:04-07:00")
		if got != c.want || a.Day.Format(time.DateOnly) != c.day || !a.Start.Add(a.Duration).Equal(a.End) {
			t.Errorf("%s: %s, %v on %s, want %s on %s", c.name, got, a.Duration, a.Day.Format(time.DateOnly), c.want, c.day)
		}
	}
}

// A row that is set aside says on which days it is, if that can be read.
func TestRowsSetAsideHaveTheirSpan(t *testing.T) {
	t.Parallel()
	const start, end, length = "<StartDate>2/2/2026 8:00:00 AM</StartDate>", "<EndDate>2/6/2026 5:00:00 PM</EndDate>", "<AppointmentDuration>90</AppointmentDuration>"
	begins, ends := time.Date(2026, 2, 2, 8, 0, 0, 0, time.UTC), time.Date(2026, 2, 6, 17, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		row        string
		start, end time.Time
	}{
		"no number":                 {end + "<ID>none</ID>" + start, begins, ends},
		"two numbers":               {end + "<ID>1</ID><ID>2</ID>" + start, begins, ends},
		"two patients":              {end + "<ID>1</ID><PatientID>1</PatientID><PatientID>2</PatientID>" + start, begins, ends},
		"no end":                    {"<ID>none</ID>" + start, begins, begins},
		"an end from the length":    {length + "<EndDate>soon</EndDate><ID>none</ID>" + start, begins, begins.Add(90 * time.Minute)},
		"a bad end":                 {"<EndDate>soon</EndDate><ID>none</ID>" + start, begins, time.Time{}},
		"two ends":                  {end + end + "<ID>1</ID>" + start, begins, time.Time{}},
		"a bad length":              {"<AppointmentDuration>half an hour</AppointmentDuration><ID>none</ID>" + start, begins, time.Time{}},
		"a bad length, a good end":  {"<AppointmentDuration>half an hour</AppointmentDuration>" + end + "<ID>none</ID>" + start, begins, ends},
		"a bad start":               {end + "<ID>1</ID><StartDate>soon</StartDate>", time.Time{}, time.Time{}},
		"two starts, and their end": {end + "<ID>1</ID>" + start + start, time.Time{}, time.Time{}},
	} {
		var seen tebra.Observation
		list, err := oneList(t, "<AppointmentData>"+tt.row+"</AppointmentData>", &seen)
		if err != nil || len(list.Rows) > 0 || len(list.SetAside) != 1 || !list.SetAside[0].Start.Equal(tt.start) || !list.SetAside[0].End.Equal(tt.end) {
			t.Errorf("%s: %+v, %v, want from %v to %v", name, list.SetAside, err, tt.start, tt.end)
		}
	}
}

// The end of a row is unread only if nothing else states it.
func TestUnreadEnds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"": false, "<EndDate>soon</EndDate>": true, "<AppointmentDuration>long</AppointmentDuration>": true,
		"<AppointmentDuration>30</AppointmentDuration><EndDate>soon</EndDate>":                  false,
		"<AppointmentDuration>long</AppointmentDuration><EndDate>2/6/2026 5:00:00 PM</EndDate>": false,
	} {
		if a := readRow(t, time.UTC, name+"<StartDate>2/2/2026 8:00:00 AM</StartDate>"); a.EndUnread() != want {
			t.Errorf("%s: unread %t, end %v", name, a.EndUnread(), a.End)
		}
	}
}

func TestRowsWithoutTimes(t *testing.T) {
	t.Parallel()
	if a := readRow(t, time.UTC, timesOfRow("", "3/14/2027 3:00 AM", "30", false)); !a.Start.IsZero() || a.End.IsZero() || !a.Day.IsZero() || a.Duration != 0 {
		t.Errorf("without a start: %+v", a)
	}
	if a := readRow(t, time.UTC, timesOfRow("3/14/2027 3:00 AM", "", "", false)); a.Start.IsZero() || !a.End.IsZero() || a.Duration != 0 {
		t.Errorf("without an end: %+v", a)
	}
	for _, odd := range []string{"-30", "30.5", "half an hour", "9999999", "99999999999999999999"} {
		if a := readRow(t, time.UTC, timesOfRow("3/14/2027 3:00 AM", "3/14/2027 4:00 AM", odd, false)); a.Duration != time.Hour {
			t.Errorf("%s minutes: lasts %v", odd, a.Duration)
		}
	}
}
