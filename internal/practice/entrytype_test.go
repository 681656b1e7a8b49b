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
		row  tebra.Appointment
		want EntryType
	}{
		{tebra.Appointment{Type: "P", PatientID: "1001"}, Visit},
		{tebra.Appointment{Type: "Patient"}, Visit},
		{tebra.Appointment{Type: " patient "}, Visit},
		{tebra.Appointment{Type: "O"}, Other},
		{tebra.Appointment{Type: "Other", PatientName: " "}, Other},
		{tebra.Appointment{Type: "other", PatientID: "1001"}, Visit},
		{tebra.Appointment{Type: "U", PatientID: "1001"}, Visit},
		{tebra.Appointment{Type: "U"}, UnknownEntry},
		{tebra.Appointment{PatientID: "1001"}, Visit},
		{tebra.Appointment{}, UnknownEntry},
		{tebra.Appointment{Type: "Webinar"}, UnknownEntry},
		{tebra.Appointment{Type: "O", PatientName: "Ada Example"}, Visit},
		{tebra.Appointment{Type: "O", CaseID: "7"}, Visit},
		{tebra.Appointment{Type: "U", CaseName: "Default Case"}, Visit},
		{tebra.Appointment{Type: "O", Unread: []string{"PatientID"}}, Visit},
		{tebra.Appointment{Unread: []string{"PatientFullName", "Type"}}, Visit},
		{tebra.Appointment{Type: "O", Unread: []string{"LastModifiedDate"}}, Other},
	} {
		if got := entryTypeOf(&c.row); got != c.want {
			t.Errorf("an entry of type %q with the unread columns %v is %s, want %s", c.row.Type, c.row.Unread, got, c.want)
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
		"only a name": {func(a *tebra.Appointment) { a.PatientName = "Ada Example" }, ""},
		"no number":   {func(a *tebra.Appointment) { a.Unread = []string{"PatientID"} }, ""},
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
