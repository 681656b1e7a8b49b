package tebra

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFormsOfDates(t *testing.T) {
	t.Parallel()
	morning := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"11/29/2026 8:00:00 AM": morning, "11/29/2026 8:00 AM": morning, "11/29/2026 08:00:00 AM": morning, "11/29/2026 8:00:00.000 AM": morning,
		"11/29/2026 8:00:00\u202fAM": morning, "11/29/2026\u00a08:00:00\u00a0AM": morning, "11/29/2026  8:00:00   AM": morning,
		"11/29/2026 8:00:00 am": morning, "11/29/2026 8:00 a.m.": morning, "11/29/2026 8:00 a.\u00a0m.": morning, "11/29/2026 8:00AM": morning,
		"\t11/29/2026 8:00 Am\n": morning,
		"11/29/2026 14:30:00":    morning.Add(390 * time.Minute), "11/29/2026 14:30": morning.Add(390 * time.Minute),
		"11/29/2026 0:00:00": morning.Add(-8 * time.Hour), "11/29/2026 00:05": morning.Add(-8*time.Hour + 5*time.Minute),
		"11/29/2026 12:00:00 AM": morning.Add(-8 * time.Hour), "11/29/2026 12:00:00 PM": morning.Add(4 * time.Hour),
		"11/29/2026 11:59:59 p.m.": morning.Add(16*time.Hour - time.Second),
		"Nov 29 2026  8:00AM":      morning, "Nov 29 2026 8:00AM": morning, "nov 29 2026  8:00am": morning, "November 29, 2026 8:00 AM": morning,
		"Nov 29 2026  8:00:00:000AM": morning, "Nov  9 2026 12:00AM": time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC), "Nov 29 2026 14:30": morning.Add(390 * time.Minute),
		"2026-11-29T08:00:00": morning, "2026-11-29T08:00": morning, "2026-11-29 08:00": morning, "2026-11-29 08:00:00.0000000": morning,
		"2026-11-29T08:00:00.1234567": morning.Add(123456700), "2026-11-29T08:00:00,5": morning.Add(500 * time.Millisecond),
		"2026-11-29T08:00Z": morning, "2026-11-29t08:00:00z": morning, "2026-11-29T02:00:00-06:00": morning, "2026-11-29T13:30:00+0530": morning,
		"2026-11-29 10:00:00 +02": morning, "2026-11-29 8:00:00 AM": morning,
		"11/29/2026": morning.Add(-8 * time.Hour), "2026-11-29": morning.Add(-8 * time.Hour), "Nov 29 2026": morning.Add(-8 * time.Hour),
	} {
		if got, ok := parseRowTime(text, utcPair); !ok || !got.first.Equal(want) {
			t.Errorf("%q: got %v, %t, want %v", text, got.first, ok, want)
		}
	}
	for _, text := range []string{
		"11/29/2026 8:00:00", "11/29/2026 8:00", "11/29/2026 12:30:00", "11/29/2026 10:15", "Nov 29 2026  8:00", // AM or PM is missing
		"11/29/2026 08:00:00", "11/29/2026 08:00", "11/29/2026 12:00", "Nov 29 2026 08:00", // likewise: a leading zero shows nothing
		"2026-11-29 8:00:00", "2026-11-29T8:00", "2026-11-29T", "2026-11-29T08", "2026-1-29", "2026-11-29T08:00:00+25:00", "2026-11-29T08:00:00+",
		"11/29/26 8:00 AM", "11/29/2026 13:00 AM", "11/29/2026 8:60 AM", "11/29/2026 8:00:60 AM", "11/29/2026 8 AM", "11/29/2026 8:00 XM",
		"11/29/2026 8:00 AMPM", "11/29/2026T08:00", "11/29/2026 8:00 A", "11/29/2026 8:0 AM", "11-29-2026", "29/11/2026 8:00 AM", "0/29/2026", "11/0/2026",
		"Nov 31 2026 8:00AM", "Novem 29 2026", "No 29 2026", "Nov29 2026", "Nov 29", "Sunday", "11/29/2026 8:00 AM x", "11/29/2026 25:00", "/", "1", "11/29/",
		"11/29/2026\ufffd8:00 AM", "2026-11-29T08:00:00Zx", "2026-11-29T08:00:00 Z Z", "11/29/2026 08:00 Z",
	} {
		if got, ok := parseRowTime(text, utcPair); ok || !got.isZero() {
			t.Errorf("%q: got %v, want an error", text, got.first)
		}
	}
}

// A time of 12 hours without AM or PM is read only if the row or the list shows 24 hours.
func TestHoursWithoutAMOrPM(t *testing.T) {
	t.Parallel()
	type row struct{ start, end, want string } // want is the start, "date", or the start and "-" without the end
	for name, rows := range map[string][]row{
		"24 hours in the row":           {{"2/24/2026 9:00:00", "2/24/2026 13:00:00", "09:00"}},
		"24 hours in a row before":      {{"2/24/2026 14:00:00", "", "14:00"}, {"2/24/2026 9:00:00", "2/24/2026 9:30:00", "09:00"}},
		"24 hours in a row after":       {{"2/24/2026 9:00:00", "2/24/2026 9:30:00", "09:00"}, {"2/24/2026 14:00:00", "", "14:00"}},
		"midnight in a row after":       {{"2/24/2026 9:00:00", "", "09:00"}, {"2/24/2026 0:00:00", "", "00:00"}},
		"leading zero in a row after":   {{"2/24/2026 10:00:00", "", "date"}, {"02/24/2026 02:30:00", "", "date"}},
		"leading zero and 24 hours":     {{"02/24/2026 02:30:00", "", "02:30"}, {"02/24/2026 14:00:00", "", "14:00"}},
		"leading zero and midnight":     {{"02/24/2026 02:30:00", "", "02:30"}, {"02/24/2026 00:00:00", "", "00:00"}},
		"leading zero and AM":           {{"02/24/2026 02:30:00", "", "date"}, {"02/24/2026 02:30:00 PM", "", "14:30"}},
		"AM in the row":                 {{"2/24/2026 9:00:00 AM", "2/24/2026 9:30:00", "09:00-"}},
		"AM in the row, 24 hours after": {{"2/24/2026 9:00:00", "2/24/2026 9:30:00 AM", "date"}, {"2/24/2026 14:00:00", "", "14:00"}},
		"AM in a row before":            {{"2/24/2026 9:00:00 AM", "", "09:00"}, {"2/24/2026 9:00:00", "", "date"}},
		"AM in a row after":             {{"2/24/2026 9:00:00", "", "date"}, {"2/24/2026 9:00:00 AM", "", "09:00"}},
		"both in rows before":           {{"2/24/2026 9:00:00 AM", "", "09:00"}, {"2/24/2026 14:00:00", "", "14:00"}, {"2/24/2026 9:00:00", "", "date"}},
		"neither":                       {{"2/24/2026 9:00:00", "2/24/2026 9:30:00", "date"}, {"2/24/2026 12:00:00", "", "date"}},
		"ISO shows nothing":             {{"2026-02-24T14:00:00", "", "14:00"}, {"2/24/2026 9:00:00", "", "date"}},
	} {
		var body, want strings.Builder
		aside := 0
		for i, r := range rows {
			body.WriteString("<AppointmentData><EndDate>" + r.end + "</EndDate><ID>" + string(rune('1'+i)) + "</ID><StartDate>" + r.start + "</StartDate></AppointmentData>")
			if r.want == "date" {
				aside++
			}
			want.WriteString(r.want + " ")
		}
		var got []Appointment
		d := newDelivery(&got)
		r := newReader(strings.NewReader("<Appointments xmlns='"+nsKareo+"'>"+body.String()+"</Appointments>"), 1<<20)
		_, _, err := r.next(blankText)
		if err == nil {
			err = r.list("AppointmentData", maxRows, func(known bool) error { return d.read(r, known) })
		}
		if err == nil {
			err = d.flush(r)
		}
		byID := map[string]string{}
		for _, a := range got {
			text := a.Start.Format("15:04")
			if slices.Contains(a.Unread, "EndDate") {
				text += "-"
			}
			byID[a.ID.Reveal()] = text
		}
		all := ""
		for i := range rows {
			text := byID[string(rune('1'+i))]
			if text == "" {
				text = "date"
			}
			all += text + " "
		}
		if err != nil || all != want.String() || len(d.setAside) != aside {
			t.Errorf("%s: got %s with %+v, %v, want %s", name, all, d.setAside, err, want.String())
		}
	}
}

// oldLayouts are those of earlier releases.
var oldLayouts = []string{
	"1/2/2006 3:04:05 PM", "1/2/2006 3:04 PM", "1/2/2006", "2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "2006-01-02",
}

// singleHour matches a date of ISO 8601 with an hour of one digit, which was taken for one of 24.
var singleHour = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}[ T]\d:`)

// compareWithLayouts checks that a text in a layout of earlier releases is read as they read it.
func compareWithLayouts(t *testing.T, text string) {
	t.Helper()
	trimmed := strings.TrimSpace(text)
	for _, layout := range oldLayouts {
		want, err := time.Parse(layout, trimmed)
		if err != nil || singleHour.MatchString(trimmed) {
			continue
		}
		if w, ok := parseWritten([]byte(text)); !ok || !w.t.Equal(want) || w.stated != strings.HasSuffix(layout, "Z07:00") {
			t.Errorf("%q: got %v, %t, want %v", text, w.t, ok, want)
		}
		return
	}
}
