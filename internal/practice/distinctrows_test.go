package practice

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// Rows collapse only if every field is equal, including those that no board shows.
func TestDistinctRows(t *testing.T) {
	t.Parallel()
	row := tebra.Appointment{
		ID: "900001", PatientID: "1001", Start: time.Date(2026, 3, 2, 12, 0, 0, 0, zone(t, "America/Chicago")), Duration: time.Hour,
		Resources: []tebra.Resource{{ID: "7"}}, Notes: "one",
	}
	for name, c := range map[string]struct {
		change func(*tebra.Appointment)
		want   int
	}{
		"equal":     {func(*tebra.Appointment) {}, 1},
		"notes":     {func(a *tebra.Appointment) { a.Notes = "two" }, 2},
		"patient":   {func(a *tebra.Appointment) { a.PatientID = "1002" }, 2},
		"length":    {func(a *tebra.Appointment) { a.Duration = time.Minute }, 2},
		"resource":  {func(a *tebra.Appointment) { a.Resources = []tebra.Resource{{ID: "8"}} }, 2},
		"modified":  {func(a *tebra.Appointment) { a.LastModified = a.Start }, 2},
		"unread":    {func(a *tebra.Appointment) { a.Unread = []string{"EndDate"} }, 2},
		"id":        {func(a *tebra.Appointment) { a.ID = "900002" }, 2},
		"no number": {func(a *tebra.Appointment) { a.ID = "" }, 2},
	} {
		other := row
		c.change(&other)
		if got, err := DistinctRows([]tebra.Appointment{row, other, row}); err != nil || len(got) != c.want {
			t.Errorf("%s: %d rows, %v", name, len(got), err)
		}
	}
}
