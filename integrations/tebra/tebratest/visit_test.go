package tebratest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// Rows show the time that was entered, and the client reads when the visit takes place.
func TestBookAtChangesOfTheClocks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, clock, row, want string }{
		{"America/Chicago", "2027-03-14 02:30", "3/14/2027 2:30:00 AM", "2027-03-14T03:30:00-05:00"},
		{"America/Chicago", "2027-03-14 03:30", "3/14/2027 3:30:00 AM", "2027-03-14T03:30:00-05:00"},
		{"America/Chicago", "2027-11-07 01:30", "11/7/2027 1:30:00 AM", "2027-11-07T01:30:00-05:00"},
		{"America/Havana", "2027-03-14 00:15", "3/14/2027 12:15:00 AM", "2027-03-14T01:15:00-04:00"},
		{"Australia/Lord_Howe", "2027-10-03 02:15", "10/3/2027 2:15:00 AM", "2027-10-03T02:45:00+11:00"},
		{"Australia/Lord_Howe", "2027-04-04 01:45", "4/4/2027 1:45:00 AM", "2027-04-04T01:45:00+11:00"},
	} {
		config := oneAccount(tebratest.Practice{Zone: c.zone, Patients: 1, VisitsPerDay: -1})
		config.Throttles = unthrottled
		s := newServer(t, config)
		at := s.Clinics()[0]
		clock, err := time.Parse("2006-01-02 15:04", c.clock)
		if err != nil {
			t.Fatal(err)
		}
		id, err := at.BookAt(at.Patients()[0].ID, clock, 20*time.Minute, 0)
		if err != nil {
			t.Fatal(err)
		}
		raw := post(t, s, "GetAppointments", header(config.Accounts[0])+"<k:Fields/><k:Filter><k:EndDate>"+c.clock[:10]+"</k:EndDate><k:StartDate>"+c.clock[:10]+"</k:StartDate></k:Filter>")
		if !strings.Contains(raw, "<StartDate>"+c.row+"</StartDate>") || !strings.Contains(raw, "<AppointmentDuration>20<") {
			t.Errorf("%s in %s: %s", c.clock, c.zone, raw)
		}
		rows := listDay(t, newClient(t, s, config.Accounts[0]), at, clock, clock)
		if len(rows) != 1 || rows[0].ID.Reveal() != id || rows[0].Start.Format(time.RFC3339) != c.want || rows[0].Duration != 20*time.Minute {
			t.Errorf("%s in %s: %d rows, from %v for %v, want %s", c.clock, c.zone, len(rows), rows[0].Start, rows[0].Duration, c.want)
		}
		if v, err := at.Appointment(id); err != nil || v.Start.Format(time.RFC3339) != c.want || v.End.Sub(v.Start) != 20*time.Minute {
			t.Errorf("%s in %s: %+v, %v", c.clock, c.zone, v, err)
		}
	}
}

// An address is in the practice's zone unless the configuration says otherwise.
func TestStates(t *testing.T) {
	t.Parallel()
	config := oneAccount(
		tebratest.Practice{ID: 1, Zone: "America/New_York"}, tebratest.Practice{ID: 2, Zone: "America/New_York", State: "CA"},
		tebratest.Practice{ID: 3, Zone: "Asia/Kathmandu"},
	)
	config.Throttles = unthrottled
	s := newServer(t, config)
	list, err := newClient(t, s, config.Accounts[0]).Directory.Practices(t.Context(), tebra.PracticesRequest{})
	rows := list.Rows
	if err != nil || len(rows) != 3 || rows[0].State != "NY" || rows[1].State != "CA" || rows[2].State != "" {
		t.Errorf("%+v, %v", rows, err)
	}
}
