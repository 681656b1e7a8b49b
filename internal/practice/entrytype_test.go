package practice

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestEntryTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word    string
		patient phi.Text
		want    EntryType
	}{
		{"P", "1001", Visit},
		{"Patient", "", Visit},
		{" patient ", "1001", Visit},
		{"O", "", Other},
		{"Other", "", Other},
		{"other", "1001", Visit},
		{"U", "1001", Visit},
		{"U", "", UnknownEntry},
		{"", "1001", Visit},
		{"", "", UnknownEntry},
		{"Webinar", "", UnknownEntry},
	} {
		if got := parseEntryType(c.word, c.patient); got != c.want {
			t.Errorf("%q is %s, want %s", c.word, got, c.want)
		}
	}
}

// A block without a reason shows the first line of its notes; a visit never shows its notes.
func TestReasonOfABlock(t *testing.T) {
	t.Parallel()
	chicago := zone(t, "America/Chicago")
	row := tebra.Appointment{ID: "900001", Type: "O", Start: time.Date(2026, 3, 2, 12, 0, 0, 0, chicago), Notes: " Staff lunch\nsecond line"}
	for name, c := range map[string]struct {
		change func(*tebra.Appointment)
		want   phi.Text
	}{
		"notes":       {func(*tebra.Appointment) {}, "Staff lunch"},
		"a reason":    {func(a *tebra.Appointment) { a.Reasons = []tebra.Reason{{Name: "Closed"}} }, "Closed"},
		"a visit":     {func(a *tebra.Appointment) { a.PatientID = "1001" }, ""},
		"no notes":    {func(a *tebra.Appointment) { a.Notes = " \n" }, ""},
		"a long note": {func(a *tebra.Appointment) { a.Notes = phi.Text(strings.Repeat("ä", 500)) }, phi.Text(strings.Repeat("ä", maxNote))},
	} {
		changed := row
		c.change(&changed)
		a, err := FromAppointment("7", changed, chicago)
		if err != nil {
			t.Fatal(err)
		}
		if got := boardRow(a, nil, Info{}).Reason; got != c.want {
			t.Errorf("%s: %q, want %q", name, got.Reveal(), c.want.Reveal())
		}
	}
}

// An entry that ends at midnight is not on the day that begins then.
func TestLastDay(t *testing.T) {
	t.Parallel()
	chicago := zone(t, "America/Chicago")
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, chicago)
	for name, c := range map[string]struct {
		end  time.Time
		more int
	}{
		"no length":       {start, 0},
		"the same day":    {start.Add(9 * time.Hour), 0},
		"until midnight":  {start.Add(16 * time.Hour), 0},
		"past midnight":   {start.Add(17 * time.Hour), 1},
		"five days":       {start.AddDate(0, 0, 4).Add(9 * time.Hour), 4},
		"a wrong century": {start.AddDate(150, 0, 0), maxDays - 1},
		"before it began": {start.Add(-time.Hour), 0},
	} {
		last := lastDay(monday, start, c.end, chicago)
		if c.more == 0 && !last.IsZero() || c.more > 0 && last != monday.Add(c.more) {
			t.Errorf("%s: until %s", name, last)
		}
	}
}
