package tebratest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestClientAndStaffSeeTheSameDay(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Seed: 7, Throttles: unthrottled})
	clinic := s.Clinics()[0]
	c := newClient(t, s, clinic.Account())
	for _, day := range []time.Time{noon, noon.AddDate(0, 0, -30), noon.AddDate(0, 0, 12), time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC)} {
		want, got := clinic.Appointments(day), listDay(t, c, clinic, day, day)
		if len(want) != 90 || len(got) != len(want) {
			t.Fatalf("%s: staff sees %d visits, the client %d, want 90", day.Format(time.DateOnly), len(want), len(got))
		}
		opens := time.Date(day.Year(), day.Month(), day.Day(), 8, 0, 0, 0, clinic.Location())
		for i, v := range want {
			row := got[i]
			if row.ID.Reveal() != v.ID || row.PatientID.Reveal() != v.PatientID || row.PatientName.Reveal() != v.Patient ||
				!row.Start.Equal(v.Start) || !row.End.Equal(v.End) || row.Status != v.Status ||
				!row.LastModified.Equal(v.Modified) || !row.Created.Equal(v.Created) || row.Providers()[0].ID.Reveal() != v.ProviderID {
				t.Fatalf("%s: visit %d differs", day.Format(time.DateOnly), i)
			}
			if v.Start.Before(opens) || v.End.After(opens.Add(9*time.Hour+30*time.Minute)) || !v.End.After(v.Start) {
				t.Errorf("visit from %v to %v is outside the opening hours", v.Start, v.End)
			}
			if !v.Created.Before(noon) || v.Created.After(v.Start) || v.Modified.Before(v.Created) {
				t.Errorf("visit of %v was created at %v and changed at %v", v.Start, v.Created, v.Modified)
			}
		}
	}
}

func TestProvidersAreNotDoubleBooked(t *testing.T) {
	t.Parallel()
	for _, visits := range []int{1, 3, 4, 90, 91, 300} {
		s := newServer(t, oneAccount(tebratest.Practice{VisitsPerDay: visits}))
		busy := map[string]time.Time{}
		all := s.Clinics()[0].Appointments(noon)
		for _, v := range all {
			if v.Start.Before(busy[v.ProviderID]) {
				t.Errorf("%d visits: provider %s is double-booked at %v", visits, v.ProviderID, v.Start)
			}
			busy[v.ProviderID] = v.End
		}
		if len(all) != visits {
			t.Errorf("%d visits, want %d", len(all), visits)
		}
	}
}

func TestPopulationDependsOnTheSeedOnly(t *testing.T) {
	t.Parallel()
	days := []time.Time{noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 2)}
	see := func(seed int64, order []int) (all [3][]tebratest.Visit, people []tebratest.Person) {
		c := newServer(t, tebratest.Config{Seed: seed}).Clinics()[0]
		for _, i := range order {
			all[i] = c.Appointments(days[i])
		}
		return all, c.Patients()
	}
	a, people := see(1, []int{0, 1, 2})
	b, same := see(1, []int{2, 0, 1})
	if !cmp.Equal(a, b) || !cmp.Equal(people, same) {
		t.Error("the population depends on the order of requests")
	}
	if c, others := see(2, []int{0, 1, 2}); cmp.Equal(a, c) || cmp.Equal(people, others) {
		t.Error("another seed generates the same population")
	}
	unusual := 0
	for _, p := range people {
		if strings.ContainsAny(p.Name(), "'&<>]") {
			unusual++
		}
	}
	if len(people) != 3000 || unusual < 100 {
		t.Errorf("%d people with %d unusual names, want 3000 with at least 100", len(people), unusual)
	}
}

func TestStaffEditsReachTheClient(t *testing.T) {
	t.Parallel()
	now := noon
	s := newServer(t, tebratest.Config{Throttles: unthrottled, Now: func() time.Time { return now }})
	clinic := s.Clinics()[0]
	c := newClient(t, s, clinic.Account())
	visits := clinic.Appointments(noon)
	before := listDay(t, c, clinic, noon, noon)
	now = noon.Add(time.Hour)

	tomorrow := visits[1].Start.AddDate(0, 0, 1)
	newcomer := clinic.AddPatient()
	booked, err := clinic.Book(newcomer.ID, visits[2].Start.AddDate(0, 0, 5), 1)
	for _, err := range []error{
		err, clinic.SetStatus(visits[0].ID, tebratest.CheckedIn), clinic.Move(visits[1].ID, tomorrow),
		clinic.Cancel(visits[2].ID), clinic.Delete(visits[3].ID),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	after := byID(listDay(t, c, clinic, noon, noon))
	if len(before) != 90 || len(after) != 88 {
		t.Fatalf("%d rows became %d, want 90 and 88", len(before), len(after))
	}
	if row := after[visits[0].ID]; row.Status != tebratest.CheckedIn || !row.LastModified.Equal(now) {
		t.Errorf("checked in: status %q, changed at %v", row.Status, row.LastModified)
	}
	if after[visits[2].ID].Status != tebratest.Cancelled {
		t.Error("a cancelled visit is not listed as cancelled")
	}
	moved, ok := byID(listDay(t, c, clinic, tomorrow, tomorrow))[visits[1].ID]
	if !ok || !moved.Start.Equal(tomorrow) || moved.End.Sub(moved.Start) != visits[1].End.Sub(visits[1].Start) {
		t.Errorf("moved: %t, at %v", ok, moved.Start)
	}

	changed, err := c.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{
		PracticeName: clinic.Practice().Name, ModifiedFrom: now, ModifiedTo: now, Location: clinic.Location(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ids := byID(changed.Rows)
	for _, id := range []string{visits[0].ID, visits[1].ID, visits[2].ID, booked} {
		if _, ok := ids[id]; !ok {
			t.Error("a change is missing in the list of today's changes")
		}
	}
	if _, ok := ids[visits[3].ID]; ok || len(ids) != 4 {
		t.Errorf("%d changes, with the deleted visit: %t; want the 4 others", len(ids), ok)
	}
	for _, err := range []error{
		clinic.SetStatus("1", "x"), clinic.Move(visits[3].ID, noon), second(clinic.Book("1", noon, 0)), second(clinic.Book(newcomer.ID, noon, 9)),
	} {
		if !errors.Is(err, tebratest.ErrNotFound) {
			t.Errorf("edit of an unknown record: %v", err)
		}
	}
}

func TestStaffEditsOfPatientsReachTheClient(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	newcomer := w.clinic.AddPatient()
	patient, err := w.Patients.Get(t.Context(), newcomer.ID)
	if err != nil || patient.FirstName.Reveal() != newcomer.FirstName {
		t.Errorf("the new patient: %v", err)
	}
	if err := w.clinic.SetPhone(newcomer.ID, "(555) 555-0199"); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Patients.Get(t.Context(), newcomer.ID); err != nil || p.HomePhone.Reveal() != "(555) 555-0199" {
		t.Errorf("the new phone number: %v", err)
	}
	if err := w.clinic.SetName(newcomer.ID, "Renamed", "Person"); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Patients.Get(t.Context(), newcomer.ID); err != nil || p.FullName.Reveal() != "Renamed Person" {
		t.Errorf("the new name: %v", err)
	}
	for _, err := range []error{w.clinic.SetName("1", "", ""), w.clinic.SetPhone("1", "")} {
		if !errors.Is(err, tebratest.ErrNotFound) {
			t.Errorf("edit of an unknown record: %v", err)
		}
	}
}

func TestAppointmentIsFoundBeforeItsDayIsRead(t *testing.T) {
	t.Parallel()
	one, two := newServer(t, tebratest.Config{}).Clinics()[0], newServer(t, tebratest.Config{}).Clinics()[0]
	id := one.Appointments(noon.AddDate(0, 0, 9))[5].ID
	if err := two.SetStatus(id, tebratest.NoShow); err != nil {
		t.Fatal(err)
	}
	if v, err := two.Appointment(id); err != nil || v.Status != tebratest.NoShow {
		t.Errorf("got %q, %v", v.Status, err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{})
	good := s.Clinics()[0].Account()
	for name, edit := range map[string]func(*tebratest.Account){
		"key": func(a *tebratest.Account) { a.CustomerKey = "x" }, "user": func(a *tebratest.Account) { a.User = "x" },
		"password": func(a *tebratest.Account) { a.Password = "x" },
	} {
		a := good
		edit(&a)
		_, err := newClient(t, s, a).System.Throttles(t.Context())
		if !errors.Is(err, &tebra.Error{Code: tebra.Unauthenticated}) {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
	if n := s.Counts()["GetThrottles"]; n.Calls != 3 || n.OK != 0 || s.Calls(2)[0].Outcome != tebratest.OutcomeUnauthenticated {
		t.Errorf("counts %+v", n)
	}
}

func TestDateWindows(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	clinic := s.Clinics()[0]
	fault := `<faultcode xmlns:a="http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher">a:InternalServiceFault`
	for _, tt := range []struct {
		name, filter string
		days         int
		fault        bool
	}{
		{"one day, without times", "<k:EndDate>2026-02-24</k:EndDate><k:StartDate>2026-02-24</k:StartDate>", 1, false},
		{"neither: a week from three days ago", "<k:Type>P</k:Type>", 7, false},
		{"no end: seven days", "<k:StartDate>2/24/2026</k:StartDate>", 7, false},
		{"no start: from seven days ago", "<k:EndDate>2/24/2026</k:EndDate>", 8, false},
		{"start before end: the end is dropped", "<k:StartDate>2026-02-24</k:StartDate><k:EndDate>2026-02-24</k:EndDate>", 7, false},
		{"60 days", "<k:EndDate>2026-04-24</k:EndDate><k:StartDate>2026-02-24</k:StartDate>", 60, false},
		{"61 days", "<k:EndDate>2026-04-26</k:EndDate><k:StartDate>2026-02-24</k:StartDate>", 0, true},
	} {
		body := post(t, s, "GetAppointments", header(clinic.Account())+"<k:Fields/><k:Filter>"+tt.filter+"</k:Filter>")
		if tt.fault {
			if !strings.Contains(body, fault) {
				t.Errorf("%s: no fault", tt.name)
			}
			continue
		}
		if n := strings.Count(body, "<ID>"); n != tt.days*90 {
			t.Errorf("%s: %d rows, want %d days of 90", tt.name, n, tt.days)
		}
	}
}
