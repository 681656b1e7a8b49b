package work

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

var duration = regexp.MustCompile(`<AppointmentDuration>[^<]*</AppointmentDuration>`)

// Without durations, the length is that between the written times wherever the clocks allow it.
func TestBoardWithoutDurations(t *testing.T) {
	t.Parallel()
	for day, visits := range map[string][]struct{ clock, want string }{
		"2027-03-14": {{"01:45", "01:45-06:00 03:15-05:00"}, {"02:30", "03:30-05:00 04:00-05:00"}},
		"2027-11-07": {{"01:00", "01:00-05:00 01:30-05:00"}, {"01:30", "01:30-05:00 01:00-06:00"}, {"02:00", "02:00-06:00 02:30-06:00"}},
	} {
		b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].VisitsPerDay = -1 })
		b.line.answer = func(body string) string { return duration.ReplaceAllString(body, "") }
		on, err := civil.ParseDate(day)
		must(t, err)
		var want, got []string
		for _, v := range visits {
			clock, err := time.Parse("2006-01-02 15:04", day+" "+v.clock)
			must(t, err)
			_, err = b.clinic.BookAt(b.clinic.Patients()[0].ID, clock, 30*time.Minute, 0)
			must(t, err)
			want = append(want, v.want)
		}
		b.done(t, days(on, on))
		for _, row := range b.board(t, on).Board.Rows {
			start, end := row.Start.In(b.clinic.Location()), row.End.In(b.clinic.Location())
			got = append(got, start.Format("15:04-07:00")+" "+end.Format("15:04-07:00"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", day, diff)
		}
	}
}

// The vendor names no time zone, but the state of a place has one or two.
func TestZoneThatDiffersFromThePlace(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].State = "NY" })
	check := func(name string, rows ...int) {
		t.Helper()
		b.done(t, tasks.SyncLocations{Practice: "7"})
		alerts, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA, Practice: "7", Code: codes.ZoneDiffers})
		must(t, err)
		var got []int
		for _, a := range alerts {
			got = append(got, a.Rows)
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Errorf("%s: alerts (-want +got):\n%s", name, diff)
		}
	}
	check("a practice in Chicago with a place in New York", 1)
	check("a second run", 1)
	known, err := b.Account(t.Context(), clinicA)
	must(t, err)
	known.Practices[0].TimeZone = "America/New_York"
	check("corrected")
}

// A practice whose zone is unknown on this host waits; the account's others are not concerned.
func TestUnknownZone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known, err := b.Account(t.Context(), clinicA)
	must(t, err)
	known.Practices[0].TimeZone = "America/Atlantis"
	want(t, b.run(t, days(monday, monday)), tasks.OutcomeRetry, "unknown_zone")
	b.done(t, tasks.SyncPractices{})
}
