package tebratest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// rowsOn returns the rows of one day's list by ID.
func rowsOn(t *testing.T, s *tebratest.Server, day time.Time) map[string][]tebra.Appointment {
	t.Helper()
	account := tebratest.DefaultAccount()
	client, err := tebra.New(tebra.Options{
		Account: "clinic-a", HTTPClient: s.Client(),
		Credentials: tebra.Credentials{CustomerKey: phi.Text(account.CustomerKey), User: phi.Text(account.User), Password: phi.Text(account.Password)},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := client.Appointments.List(context.Background(), tebra.ListAppointmentsRequest{
		PracticeName: s.Clinics()[0].Practice().Name, From: day, To: day, Location: s.Clinics()[0].Location(),
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]tebra.Appointment{}
	for _, r := range list.Rows {
		rows[r.ID.Reveal()] = append(rows[r.ID.Reveal()], r)
	}
	return rows
}

// A list of a day has an entry that began earlier only if lists select by overlap.
func TestEntriesThatBeganEarlier(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Seed: 1, Throttles: unthrottled})
	c := s.Clinics()[0]
	start := time.Date(noon.Year(), noon.Month(), noon.Day(), 9, 0, 0, 0, c.Location())
	block := c.Enter(tebratest.Visit{Start: start, End: start.AddDate(0, 0, 4), Type: "O", Notes: "Out of office"})
	all := c.Enter(tebratest.Visit{Start: start.Add(-9 * time.Hour), End: start.Add(15 * time.Hour), Type: "O", AllDay: true})
	if rows := rowsOn(t, s, noon); len(rows[block]) != 1 || rows[block][0].Type != "O" || len(rows[all]) != 1 || !rows[all][0].AllDay || rows[all][0].PatientID != "" {
		t.Errorf("on the first day: %+v, %+v", rows[block], rows[all])
	}
	later := noon.AddDate(0, 0, 3)
	if rows := rowsOn(t, s, later); len(rows[block]) != 0 {
		t.Errorf("by start: %+v", rows[block])
	}
	if err := s.SetOdd(tebratest.OddOverlap); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOn(t, s, later); len(rows[block]) != 1 || len(rows[all]) != 0 {
		t.Errorf("by overlap: %+v, %+v", rows[block], rows[all])
	}
}

func TestEntryWithTheIDOfAnother(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Seed: 1, Throttles: unthrottled})
	c := s.Clinics()[0]
	first := c.Appointments(noon)[3]
	again := first
	again.PatientID, again.Patient = "1", "Another Person"
	if id := c.Enter(again); id != first.ID {
		t.Fatalf("it has the identifier %s", id)
	}
	rows := rowsOn(t, s, noon)[first.ID]
	if len(rows) != 2 || rows[0].PatientID == rows[1].PatientID || !rows[0].LastModified.Equal(rows[1].LastModified) {
		t.Errorf("%+v", rows)
	}
	if err := c.Withdraw(first.ID, func(v tebratest.Visit) bool { return v.PatientID == "1" }); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOn(t, s, noon)[first.ID]; len(rows) != 1 || rows[0].PatientID.Reveal() != first.PatientID {
		t.Errorf("after one was withdrawn: %+v", rows)
	}
	if err := c.Withdraw(first.ID, func(tebratest.Visit) bool { return false }); !errors.Is(err, tebratest.ErrNotFound) {
		t.Errorf("nothing to withdraw: %v", err)
	}
}

// An entry without rows is not found by its number either, and what is left of one counts.
func TestWithdrawnEntriesLeaveNoTrace(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Seed: 1, Throttles: unthrottled})
	c := s.Clinics()[0]
	first := c.Appointments(noon)[3]
	second := first
	second.Start, second.End = first.Start.AddDate(0, 0, 1), first.End.AddDate(0, 0, 1)
	c.Enter(second)
	at := func(start time.Time) func(tebratest.Visit) bool {
		return func(v tebratest.Visit) bool { return v.Start.Equal(start) }
	}
	if err := c.Withdraw(first.ID, at(first.Start)); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Appointment(first.ID); err != nil || !v.Start.Equal(second.Start) {
		t.Errorf("what is left of the entry: %v, %v", v.Start, err)
	}
	if err := c.Withdraw(first.ID, at(second.Start)); err != nil {
		t.Fatal(err)
	}
	if v, err := c.Appointment(first.ID); !errors.Is(err, tebratest.ErrNotFound) {
		t.Errorf("an entry without rows: %v, %v", v.Start, err)
	}
	if err := c.SetStatus(first.ID, tebratest.Cancelled); !errors.Is(err, tebratest.ErrNotFound) {
		t.Errorf("an entry without rows can be changed: %v", err)
	}
}

// Every odd entry of a day is the same in all lists.
func TestOddEntries(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{
		Seed: 1, Throttles: unthrottled, Odd: []tebratest.Oddity{tebratest.OddBlock, tebratest.OddAllDay, tebratest.OddOvernight, tebratest.OddSeries},
	})
	next := rowsOn(t, s, noon.AddDate(0, 0, 1))
	var blocks, allDay, overnight, series int
	for id, rows := range rowsOn(t, s, noon) {
		for _, r := range rows {
			switch days := r.End.Sub(r.Start).Hours() / 24; {
			case r.AllDay:
				allDay++
			case days > 1:
				blocks++
			case r.End.Day() != r.Start.Day():
				overnight++
			case len(next[id]) > 0:
				series++
			}
		}
	}
	if blocks != 1 || allDay != 1 || overnight != 1 || series != 2 { // that of the day, and of the day before
		t.Errorf("%d blocks, %d entries of all day, %d overnight visits, %d visits that are on the next day too", blocks, allDay, overnight, series)
	}
}
