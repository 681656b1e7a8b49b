package tebratest_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// revealed lets go-cmp show what differs. Everybody here is invented.
var revealed = cmp.Transformer("reveal", phi.Text.Reveal)

// world is a simulator with one practice, its client, and its staff.
type world struct {
	*tebra.Client

	sim    *tebratest.Server
	clinic *tebratest.Clinic
	id     string // of the practice
}

func newWorld(t testing.TB, config tebratest.Config) world {
	t.Helper()
	config.Throttles.Off = true
	s := newServer(t, config)
	clinic := s.Clinics()[0]
	return world{Client: newClient(t, s, clinic.Account()), sim: s, clinic: clinic, id: "1"}
}

func (w world) detail(t testing.TB, id string) *tebra.AppointmentDetail {
	t.Helper()
	a, err := w.Appointments.Get(t.Context(), id, w.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSingleAppointmentsAreAsTheStaffSeesThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	groups, series := 0, 0
	for _, v := range w.clinic.Appointments(noon) {
		a := w.detail(t, v.ID)
		if a.ID.Reveal() != v.ID || !a.Start.Equal(v.Start) || !a.End.Equal(v.End) || a.ProviderID.Reveal() != v.ProviderID ||
			a.PracticeID != w.id || a.Deleted || !a.Updated.Equal(v.Modified) || a.CaseID.Reveal() != v.CaseID {
			t.Fatalf("%s differs: %+v", v.ID, a)
		}
		switch {
		case len(v.Attendees) > 0:
			groups++
			if !a.Group || len(a.Attendees) != len(v.Attendees) || a.Patient != "" || a.Attendees[0].PatientID.Reveal() != v.PatientID {
				t.Errorf("group of %d is %+v", len(v.Attendees), a)
			}
		case a.Group || a.Patient.Reveal() != v.PatientID:
			t.Errorf("visit of one is %+v", a)
		}
		if v.Series != 0 {
			series++
			if !a.Recurring || a.Recurrence == nil || a.Recurrence.EveryDays != 7 || !cmp.Equal(a.Recurrence.Weekdays, []string{"Tuesday"}) {
				t.Errorf("series %d is %+v", v.Series, a.Recurrence)
			}
		}
	}
	if groups != 3 || series != 7 {
		t.Errorf("%d groups and %d series, want 3 and 7 of 90 visits", groups, series)
	}
	if _, err := w.Appointments.Get(t.Context(), "5", time.UTC); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("appointment of nobody: %v", err)
	}
}

// A series is the same patient at the same hour, week after week.
func TestSeriesComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	of := func(day time.Time) map[int]string {
		all := map[int]string{}
		for _, v := range w.clinic.Appointments(day) {
			if v.Series != 0 {
				all[v.Series] = v.PatientID + v.Start.Format(" 15:04")
			}
		}
		return all
	}
	same, other := 0, 0
	for week := range 10 {
		if cmp.Equal(of(noon.AddDate(0, 0, 7*week)), of(noon.AddDate(0, 0, 7*week+7))) {
			same++
		} else {
			other++
		}
	}
	if other != 1 && other != 2 { // it ends after eight weeks
		t.Errorf("%d weeks are like the next, %d are not", same, other)
	}
}

func TestAppointmentsAreCreatedChangedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	ctx, zone, people := t.Context(), w.clinic.Location(), w.clinic.Patients()
	doctor := phi.Text(w.clinic.Appointments(noon)[0].ProviderID)
	start := time.Date(2026, 3, 3, 10, 0, 0, 0, zone)
	made, err := w.Appointments.Create(ctx, tebra.NewAppointment{
		PracticeID: w.id, ServiceLocationID: "3", Start: start, End: start.Add(45 * time.Minute), Patient: phi.Text(people[7].ID),
		ProviderID: doctor, ReasonID: "2", Notes: "a <note>", CaseID: "77", Mode: "Telehealth",
	}, zone)
	if err != nil {
		t.Fatal(err)
	}
	staff, err := w.clinic.Appointment(made.ID.Reveal())
	if err != nil || !staff.Start.Equal(start) || staff.PatientID != people[7].ID || staff.Notes != "a <note>" || staff.Status != tebratest.Scheduled ||
		staff.Reason != "New Patient" || staff.End.Sub(staff.Start) != 45*time.Minute || staff.CaseID != "77" {
		t.Fatalf("staff sees %+v, %v", staff, err)
	}
	change := w.detail(t, staff.ID).Update()
	change.Status, change.Start, change.End = tebra.StatusCheckedIn, start.AddDate(0, 0, 1), start.AddDate(0, 0, 1).Add(time.Hour)
	updated, err := w.Appointments.Update(ctx, change, zone)
	if err != nil {
		t.Fatal(err)
	}
	if staff, err = w.clinic.Appointment(staff.ID); err != nil || staff.Status != tebratest.CheckedIn || !staff.Start.Equal(change.Start) ||
		staff.Notes != "a <note>" || staff.Reason != "New Patient" || staff.CaseID != "77" || staff.Mode != "Telehealth" {
		t.Errorf("after the update the staff sees %+v, %v", staff, err)
	}
	if diff := cmp.Diff(updated, w.detail(t, staff.ID), revealed); diff != "" {
		t.Errorf("the update's answer is not what is read afterwards:\n%s", diff)
	}
	if len(listDay(t, w.Client, w.clinic, change.Start, change.Start)) != 91 || len(listDay(t, w.Client, w.clinic, start, start)) != 90 {
		t.Error("the visit is not on its new day")
	}
	if err := w.Appointments.SetStatus(ctx, staff.ID, tebra.StatusNoShow); err != nil {
		t.Error(err)
	}
	if staff, err = w.clinic.Appointment(staff.ID); err != nil || staff.Status != tebratest.NoShow || staff.Notes != "a <note>" {
		t.Errorf("after the status the staff sees %+v, %v", staff, err)
	}
	if err := w.Appointments.Delete(ctx, staff.ID); err != nil {
		t.Error(err)
	}
	if err := w.Appointments.Delete(ctx, staff.ID); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("deleted twice: %v", err)
	}
	if _, err := w.clinic.Appointment(staff.ID); !errors.Is(err, tebratest.ErrNoSuch) || !w.detail(t, staff.ID).Deleted {
		t.Errorf("deleted: %v", err)
	}
}

func TestGroupsAndSeriesAreKeptAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	zone, people := w.clinic.Location(), w.clinic.Patients()
	start := time.Date(2026, 3, 3, 10, 0, 0, 0, zone) // the clock changes within the week
	wish := tebra.NewAppointment{
		PracticeID: w.id, ServiceLocationID: "3", Start: start, End: start.Add(time.Hour), ProviderID: "7", Name: "A group", MaxAttendees: 5,
		Attendees:  []phi.Text{phi.Text(people[4].ID), phi.Text(people[5].ID)},
		Recurrence: &tebra.Recurrence{Start: start, EveryDays: 7, Occurrences: 3},
	}
	made, err := w.Appointments.Create(t.Context(), wish, zone)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "A group" || made.MaxAttendees != 5 || len(made.Attendees) != 2 || !made.Recurring || made.Recurrence == nil ||
		made.Recurrence.EveryDays != 7 || made.Recurrence.Occurrences != 3 {
		t.Errorf("made %+v with %+v", made, made.Recurrence)
	}
	first, err := w.clinic.Appointment(made.ID.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	for week := range 4 {
		at, found := start.AddDate(0, 0, 7*week), 0
		for _, v := range w.clinic.Appointments(at) {
			if v.Series == first.Series && v.Start.Equal(at) && v.End.Sub(v.Start) == time.Hour && cmp.Equal(v.Attendees, first.Attendees) {
				found++
			}
		}
		if want := map[bool]int{true: 1}[week < 3]; found != want {
			t.Errorf("week %d has %d of the series, want %d", week, found, want)
		}
	}
	change := made.Update()
	change.Name, change.MaxAttendees = "", 0
	if got, err := w.Appointments.Update(t.Context(), change, zone); err != nil || got.Name != "" || got.MaxAttendees != 10 || len(got.Attendees) != 2 {
		t.Errorf("changed to %+v, %v", got, err)
	}
	for name, tt := range map[string]struct {
		rule tebra.Recurrence
		want int
	}{
		"until a day":     {tebra.Recurrence{EveryDays: 2, End: start.AddDate(0, 0, 9)}, 5},
		"without an end":  {tebra.Recurrence{EveryDays: 2}, 1},
		"without a pause": {tebra.Recurrence{Occurrences: 3}, 3},
		"for ever":        {tebra.Recurrence{EveryDays: 1, Occurrences: 1_000_000_000}, 100},
	} {
		wish.Recurrence = &tt.rule
		made, err := w.Appointments.Create(t.Context(), wish, zone)
		if err != nil || made.Recurrence == nil || made.Recurrence.Occurrences != tt.want {
			t.Errorf("%s: %+v, %v, want %d", name, made, err, tt.want)
		}
	}
}

// What the practice's day was invented with, beside visits that come to pass: cancelled ones in the lists, and others that
// only their identifiers still find.
func TestDaysHaveCancellationsAndDeletions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	cancelled, days := 0, 20
	for d := range days {
		for _, v := range w.clinic.Appointments(noon.AddDate(0, 0, -1-d)) {
			if v.Status == tebratest.Cancelled {
				cancelled++
			}
		}
	}
	if share := float64(cancelled) / float64(90*days); share < 0.05 || share > 0.11 {
		t.Errorf("%.3f of the visits were cancelled, want about 0.08", share)
	}
	first := w.clinic.Appointments(noon)
	slices.SortFunc(first, func(a, b tebratest.Visit) int { return strings.Compare(a.ID, b.ID) })
	last, err := strconv.Atoi(first[len(first)-1].ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{1, 2} {
		id := strconv.Itoa(last + after)
		if a := w.detail(t, id); !a.Deleted || a.Start.Day() != 24 {
			t.Errorf("visit %d after the last of the day is %+v", after, a)
		}
		if _, err := w.clinic.Appointment(id); !errors.Is(err, tebratest.ErrNoSuch) {
			t.Errorf("the staff sees a deleted visit: %v", err)
		}
	}
	if _, err := w.Appointments.Get(t.Context(), strconv.Itoa(last+3), time.UTC); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("more than two were deleted: %v", err)
	}
}

func TestUpdatesClobberOrMerge(t *testing.T) {
	t.Parallel()
	for updates, want := range map[string]string{"": "", "clobber": "", "merge": "77"} {
		w := newWorld(t, tebratest.Config{Faults: tebratest.Faults{Updates: updates}})
		zone := w.clinic.Location()
		v := w.clinic.Appointments(noon)[0]
		full := w.detail(t, v.ID).Update()
		full.CaseID = "77"
		if _, err := w.Appointments.Update(t.Context(), full, zone); err != nil {
			t.Fatal(err)
		}
		full.CaseID = ""
		if _, err := w.Appointments.Update(t.Context(), full, zone); err != nil {
			t.Fatal(err)
		}
		if got := w.detail(t, v.ID).CaseID.Reveal(); got != want {
			t.Errorf("%q: a case that was not sent again is %q, want %q", updates, got, want)
		}
	}
	for updates, want := range map[string]string{"": "(555) 555-0101", "clobber": "", "merge": "(555) 555-0101"} {
		w := newWorld(t, tebratest.Config{Faults: tebratest.Faults{Updates: updates}})
		id := w.clinic.Patients()[0].ID
		for _, f := range []tebra.PatientFields{{WorkPhone: tebra.Set("(555) 555-0101")}, {City: tebra.Set("Elsewhere")}} {
			if err := w.Patients.Update(t.Context(), id, w.id, f); err != nil {
				t.Fatal(err)
			}
		}
		if p, err := w.Patients.Get(t.Context(), id); err != nil || p.WorkPhone.Reveal() != want || p.City != "Elsewhere" || p.FirstName == "" {
			t.Errorf("%q: %+v, %v", updates, p, err)
		}
	}
}

func TestPatientsAreCreatedAndChanged(t *testing.T) {
	t.Parallel()
	now := noon
	w := newWorld(t, tebratest.Config{Now: func() time.Time { return now }})
	ctx := t.Context()
	id, err := w.Patients.Create(ctx, w.id, tebra.PatientFields{
		FirstName: tebra.Set("Nova"), LastName: tebra.Set("O'Made <up>"), BirthDate: tebra.Set("1980-07-04"), HomePhone: tebra.Set("(555) 555-0101"),
		MobilePhone: tebra.Set("5555550102"), AlertShown: tebra.Set("an alert"),
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.Patients.Get(ctx, id.Reveal())
	if err != nil || p.FullName != "Nova O'Made <up>" || p.BirthDate != "1980-07-04" || p.HomePhone != "(555) 555-0101" || p.MobilePhone != "5555550102" ||
		p.Alert != "an alert" || p.City != "" || p.Email != "" || len(p.Cases) != 1 {
		t.Fatalf("created %+v, %v", p, err)
	}
	now = noon.Add(time.Hour)
	if err := w.Patients.Update(ctx, id.Reveal(), w.id, tebra.PatientFields{LastName: tebra.Set("Renamed"), MobilePhone: tebra.Clear()}); err != nil {
		t.Fatal(err)
	}
	p, err = w.Patients.Get(ctx, id.Reveal())
	if err != nil || p.FullName != "Nova Renamed" || p.MobilePhone != "" || p.HomePhone != "(555) 555-0101" || p.LastModified.Sub(p.Created) != time.Hour {
		t.Errorf("updated %+v, %v", p, err)
	}
	batch := []tebra.ExternalID{{PatientID: id, PracticeID: w.id, VendorID: "5", ID: "ext-1"}}
	if err := w.Patients.SetExternalIDs(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Patients.GetByExternalID(ctx, "5", "ext-1"); err != nil || p.ID != id {
		t.Errorf("by external id: %v", err)
	}
	post(t, w.sim, "UpdatePatientsExternalID", header(w.clinic.Account())+"<k:Updates><k:UpdateBatch><k:PatientExternalIDSetting><k:externalID/>"+
		"<k:externalVendorID>0</k:externalVendorID><k:patientID>"+id.Reveal()+"</k:patientID><k:practiceID>1</k:practiceID></k:PatientExternalIDSetting></k:UpdateBatch></k:Updates>")
	if got := post(t, w.sim, "GetPatient", header(w.clinic.Account())+"<k:Filter/>"); !strings.Contains(got, `<Patient i:nil="true"/>`) {
		t.Errorf("who names nobody gets somebody: %.900s", got)
	}
	if _, err := w.Patients.GetByExternalID(ctx, "6", "ext-1"); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("another vendor's id: %v", err)
	}
	if err := w.Patients.Update(ctx, "5", w.id, tebra.PatientFields{City: tebra.Set("x")}); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("a patient of nobody: %v", err)
	}
	if _, err := w.Patients.Create(ctx, "9", tebra.PatientFields{FirstName: tebra.Set("a"), LastName: tebra.Set("b")}); !errors.Is(err, &tebra.Error{Code: tebra.Denied}) {
		t.Errorf("a practice of nobody: %v", err)
	}
}

func TestAPIRefusesWhatTheVendorDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	zone := w.clinic.Location()
	good := tebra.NewAppointment{
		PracticeID: w.id, ServiceLocationID: "3", Start: noon, End: noon.Add(time.Hour), Patient: phi.Text(w.clinic.Patients()[0].ID), ProviderID: "7",
	}
	for name, tt := range map[string]struct {
		edit func(*tebra.NewAppointment)
		code tebra.Code
	}{
		"practice": {func(a *tebra.NewAppointment) { a.PracticeID = "99" }, tebra.Denied},
		"provider": {func(a *tebra.NewAppointment) { a.ProviderID = "99" }, tebra.Invalid},
		"patient":  {func(a *tebra.NewAppointment) { a.Patient = "99" }, tebra.Invalid},
		"group":    {func(a *tebra.NewAppointment) { a.Patient, a.Attendees = "", []phi.Text{a.Patient, "99"} }, tebra.Invalid},
		"nothing":  {func(*tebra.NewAppointment) {}, ""},
	} {
		a := good
		tt.edit(&a)
		_, err := w.Appointments.Create(t.Context(), a, zone)
		if (tt.code == "") != (err == nil) || err != nil && !errors.Is(err, &tebra.Error{Code: tt.code}) {
			t.Errorf("%s: %v, want %q", name, err, tt.code)
		}
	}
	v := w.clinic.Appointments(noon)[0]
	change := w.detail(t, v.ID).Update()
	change.Patient = "99"
	if _, err := w.Appointments.Update(t.Context(), change, zone); !errors.Is(err, &tebra.Error{Code: tebra.Invalid}) {
		t.Errorf("an appointment of nobody: %v", err)
	}
	if got, err := w.clinic.Appointment(v.ID); err != nil || !cmp.Equal(got, v) {
		t.Errorf("a refused change made %+v, %v", got, err)
	}
	if err := w.Appointments.SetStatus(t.Context(), "5", tebra.StatusRoomed); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("status of nobody: %v", err)
	}
}

func TestEveryPatientIsOnExactlyOnePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: []tebratest.Practice{{Patients: 501}, {Patients: 7}}}}})
	for practice, want := range map[string]int{"1": 501, "2": 7, "": 508} {
		seen := map[phi.Text]bool{}
		pages := 0
		for page, err := range w.Patients.Pages(t.Context(), tebra.PatientPagesRequest{PracticeID: practice, Size: 100}) {
			if err != nil {
				t.Fatal(err)
			}
			pages++
			for _, p := range page.Rows {
				if seen[p.ID] {
					t.Fatalf("a patient comes twice")
				}
				seen[p.ID] = true
			}
		}
		if len(seen) != want || pages != (want+99)/100 {
			t.Errorf("practice %q: %d patients on %d pages, want %d", practice, len(seen), pages, want)
		}
	}
}

func TestPatientListsAreFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	people := w.clinic.Patients()
	p := people[11]
	born := phi.Text(p.BirthDate.Format(time.DateOnly))
	for name, tt := range map[string]struct {
		edit func(*tebra.ListPatientsRequest)
		want func(tebratest.Person) bool
	}{
		"name":      {func(q *tebra.ListPatientsRequest) { q.LastName = phi.Text(p.LastName) }, func(o tebratest.Person) bool { return o.LastName == p.LastName }},
		"full name": {func(q *tebra.ListPatientsRequest) { q.FullName = phi.Text(p.Name()) }, func(o tebratest.Person) bool { return o.Name() == p.Name() }},
		"birthday":  {func(q *tebra.ListPatientsRequest) { q.BornFrom, q.BornTo = born, born }, func(o tebratest.Person) bool { return o.BirthDate.Equal(p.BirthDate) }},
		"changed":   {func(q *tebra.ListPatientsRequest) { q.ModifiedFrom, q.ModifiedTo = noon, noon }, func(o tebratest.Person) bool { return o.ID == people[3].ID }},
		"all":       {func(*tebra.ListPatientsRequest) {}, func(tebratest.Person) bool { return true }},
	} {
		if err := w.clinic.SetPhone(people[3].ID, "(555) 555-0177"); err != nil {
			t.Fatal(err)
		}
		q := tebra.ListPatientsRequest{PracticeName: w.clinic.Practice().Name}
		tt.edit(&q)
		list, err := w.Patients.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, o := range people {
			if tt.want(o) {
				want++
			}
		}
		if len(list.Rows) != want || want == 0 {
			t.Errorf("%s: %d patients, want %d", name, len(list.Rows), want)
		}
	}
}

func TestDirectoryAndAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	ctx := t.Context()
	practices, _, err := w.Directory.Practices(ctx, tebra.PracticesRequest{})
	if err != nil || len(practices) != 1 || practices[0].Name != "Example Practice" || practices[0].ID != w.id || !practices[0].Active {
		t.Errorf("practices %+v, %v", practices, err)
	}
	places, _, err := w.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: "Example Practice"})
	if err != nil || len(places) != 1 || places[0].Name != "Example Practice Main Office" || places[0].PracticeID != w.id || places[0].LastModified.IsZero() {
		t.Errorf("places %+v, %v", places, err)
	}
	codes, partial, err := w.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{Code: "SIM02"})
	if err != nil || partial || len(codes) != 1 || codes[0].OfficialName != "Long visit" {
		t.Errorf("codes %+v, %v", codes, err)
	}
	why, _, err := w.Appointments.Reasons(ctx, w.id)
	if err != nil || len(why) != 6 || why[0].Name != "Follow Up" || why[0].ID != "1" || why[0].Minutes != 30 {
		t.Errorf("reasons %+v, %v", why, err)
	}
	if id, err := w.System.CustomerID(ctx); err != nil || id != "4711" {
		t.Errorf("customer %q, %v", id, err)
	}
	a := w.clinic.Account()
	a.Password = "x"
	if _, err := newClient(t, w.sim, a).System.CustomerID(ctx); !errors.Is(err, &tebra.Error{Code: tebra.Unauthenticated}) {
		t.Errorf("customer by a wrong password: %v", err)
	}
}

// The same instants come back whichever way the vendor is asked for its times, on days of both changes of the clock.
func TestZonesAgree(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	clinic := s.Clinics()[0]
	a := clinic.Account()
	other, err := tebra.New(tebra.Options{
		Account: "a", HTTPClient: s.Client(), Zones: tebra.Greenwich,
		Credentials: tebra.Credentials{CustomerKey: phi.Text(a.CustomerKey), User: phi.Text(a.User), Password: phi.Text(a.Password)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range []time.Time{noon, time.Date(2026, 3, 8, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)} {
		one, two := listDay(t, newClient(t, s, a), clinic, day, day), listDay(t, other, clinic, day, day)
		if diff := cmp.Diff(one, two, revealed); diff != "" || len(one) != 90 {
			t.Errorf("%s: %d rows differ:\n%s", day.Format(time.DateOnly), len(one), diff)
		}
	}
}

func TestWindowsOfAnyLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: []tebratest.Practice{{VisitsPerDay: 5}}}}})
	from, to := noon.AddDate(0, 0, -140), noon.AddDate(0, 0, 60)
	req := tebra.ListAppointmentsRequest{PracticeName: "Example Practice 1", From: from, To: to, Location: w.clinic.Location()}
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage, Rate: 0.5}}})
	seen, failures := map[phi.Text]bool{}, 0
	for !req.From.After(to) { // a failure says where to go on
		for window, err := range w.Appointments.Windows(t.Context(), req) {
			if err != nil {
				failures++
				req.From = window.From
				break
			}
			if window.From.Format(time.DateOnly) != req.From.Format(time.DateOnly) || window.Partial {
				t.Fatalf("window from %v, partial %t, want one from %v", window.From, window.Partial, req.From)
			}
			for _, row := range window.Rows {
				seen[row.ID] = true
			}
			req.From = window.To.AddDate(0, 0, 1)
		}
	}
	if len(seen) != 201*5 || failures == 0 {
		t.Errorf("%d visits after %d failures, want %d", len(seen), failures, 201*5)
	}
}

// One request may be walked by several at once, and again.
func TestWindowsOfPatients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: []tebratest.Practice{{Patients: 400}}}}})
	day := time.Now().In(w.clinic.Location())
	windows := w.Patients.Windows(t.Context(), tebra.ListPatientsRequest{PracticeID: w.id, ModifiedFrom: day.AddDate(-50, 0, 0), ModifiedTo: day.AddDate(0, 0, 1)})
	walk := func() (rows int, err error) {
		for window, err := range windows {
			if err != nil || window.Partial {
				return rows, errors.Join(err, errors.New("not the whole range"))
			}
			rows += len(window.Rows)
		}
		return rows, nil
	}
	var all errgroup.Group
	for range 3 {
		all.Go(func() error {
			rows, err := walk()
			if err == nil && rows != 400 {
				err = fmt.Errorf("%d patients, want 400", rows)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
	for name, req := range map[string]tebra.ListPatientsRequest{
		"no range":  {PracticeID: "1"},
		"half":      {PracticeID: "1", CreatedFrom: day},
		"reversed":  {PracticeID: "1", ModifiedFrom: day, ModifiedTo: day.AddDate(0, 0, -1)},
		"201 years": {PracticeID: "1", CreatedFrom: day.AddDate(-201, 0, 0), CreatedTo: day},
		"400 years": {PracticeID: "1", CreatedFrom: day.AddDate(-400, 0, 0), CreatedTo: day},
		"no one's":  {CreatedFrom: day, CreatedTo: day},
	} {
		n := 0
		for _, err := range w.Patients.Windows(t.Context(), req) {
			if n++; !errors.Is(err, &tebra.Error{Code: tebra.Invalid}) {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d windows, want one error", name, n)
		}
	}
}

func TestRulesStrikeAsOftenAsTheySay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	id := w.clinic.Patients()[0].ID
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultMaintenance, Operations: []string{"GetPatient"}, Count: 2}}})
	var got []bool
	for range 4 {
		_, err := w.Patients.Get(t.Context(), id)
		got = append(got, err == nil)
	}
	if want := []bool{false, false, true, true}; !cmp.Equal(got, want) || len(w.sim.Faults().Rules) != 0 {
		t.Errorf("answered %v, want %v", got, want)
	}
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultOutage, Rate: 0.3}}})
	failures := 0
	for range 500 {
		if _, err := w.Patients.Get(t.Context(), id); err != nil {
			failures++
		}
	}
	if failures < 110 || failures > 190 {
		t.Errorf("%d of 500 failed, want about 150", failures)
	}
}

// A cut and a trickled answer are of work that was done. Over a network the one ends early, and the other takes its time.
func TestAnswersThatBreakOffOrTrickle(t *testing.T) {
	t.Parallel()
	for fault, outcomes := range map[tebratest.Fault][2]tebratest.Outcome{
		tebratest.FaultCut: {tebratest.OutcomeCut, tebratest.OutcomeCut}, tebratest.FaultTrickle: {tebratest.OutcomeOK, tebratest.OutcomeAborted},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, tebratest.Config{})
			for i, pause := range []time.Duration{time.Millisecond, time.Second} {
				v := w.clinic.Appointments(noon)[i]
				w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: fault, Operations: []string{"UpdateAppointmentStatus"}, Count: 1, For: pause}}})
				began := time.Now()
				err := w.Appointments.SetStatus(t.Context(), v.ID, tebra.StatusRoomed)
				call := w.sim.Calls(i)[0]
				if took := time.Since(began); fault == tebratest.FaultTrickle && took < 500*time.Millisecond {
					t.Errorf("%s: the answer took %v", fault, took)
				}
				if call.Outcome != outcomes[i] || (err == nil) != (call.Outcome == tebratest.OutcomeOK) {
					t.Errorf("%s: %s, %v, want %s", fault, call.Outcome, err, outcomes[i])
				}
				if got, err := w.clinic.Appointment(v.ID); err != nil || got.Status != tebratest.Roomed {
					t.Errorf("%s: status is %q, %v", fault, got.Status, err)
				}
			}
		})
	}
}

func TestWritesThatHangMayTakeEffect(t *testing.T) {
	t.Parallel()
	for fault, effect := range map[tebratest.Fault]bool{
		tebratest.FaultHang: false, tebratest.FaultEffectThenHang: true, tebratest.FaultHangThenEffect: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, tebratest.Config{})
			v := w.clinic.Appointments(noon)[0]
			w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: fault, Count: 1, For: 90 * time.Second}}})
			err := w.Appointments.SetStatus(t.Context(), v.ID, tebra.StatusRoomed)
			var e *tebra.Error
			if !errors.As(err, &e) || e.Code != tebra.Timeout || !e.Sent {
				t.Errorf("%s: %v, want a timeout of a sent call", fault, err)
			}
			if got, err := w.clinic.Appointment(v.ID); err != nil || (got.Status == tebratest.Roomed) != effect {
				t.Errorf("%s: status is %q, want an effect: %t", fault, got.Status, effect)
			}
		})
	}
}

func TestSilentRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	v, zone := w.clinic.Appointments(noon)[0], w.clinic.Location()
	change := w.detail(t, v.ID).Update()
	change.Notes, change.Start, change.End = "changed", change.Start.AddDate(0, 0, 3), change.End.AddDate(0, 0, 3)
	people := len(w.clinic.Patients())
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultSilentRefusal}}})
	echo, err := w.Appointments.Update(t.Context(), change, zone)
	if err != nil || echo.Notes != "changed" || !echo.Start.Equal(change.Start) {
		t.Errorf("the refusal is not silent: %+v, %v", echo, err)
	}
	if err := w.Appointments.Delete(t.Context(), v.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.Patients.Create(t.Context(), w.id, tebra.PatientFields{FirstName: tebra.Set("a"), LastName: tebra.Set("b")}); err != nil {
		t.Error(err)
	}
	if got, err := w.clinic.Appointment(v.ID); err != nil || !cmp.Equal(got, v) || len(w.clinic.Patients()) != people {
		t.Errorf("something was done: %+v, %v", got, err)
	}
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: []tebratest.Practice{{Patients: 300}}}}})
		v := w.clinic.Appointments(noon)[0]
		before := byID(listDay(t, w.Client, w.clinic, noon, noon))
		id := w.clinic.Patients()[0].ID
		patient, err := w.Patients.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Minute)
		created, err := w.Patients.Create(t.Context(), w.id, tebra.PatientFields{FirstName: tebra.Set("Nova"), LastName: tebra.Set("Made")})
		if err != nil {
			t.Fatal(err)
		}
		newcomers := []string{created.Reveal(), w.clinic.AddPatient().ID}
		booked, err := w.clinic.Book(id, v.Start.Add(time.Minute), 0)
		for _, err := range []error{err, w.clinic.Move(v.ID, v.Start.AddDate(0, 0, 1)), w.clinic.SetPhone(id, "(555) 555-0188")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		w.sim.SetFaults(tebratest.Faults{Stale: 30 * time.Second})
		if now := byID(listDay(t, w.Client, w.clinic, noon, noon)); !cmp.Equal(now, before, revealed) {
			t.Errorf("a stale day has %d rows, the moved and not the booked one among them: %t, %t", len(now), now[v.ID].ID != "", now[booked].ID != "")
		}
		if a := w.detail(t, v.ID); !a.Start.Equal(v.Start) {
			t.Errorf("a stale appointment is at %v", a.Start)
		}
		if p, err := w.Patients.Get(t.Context(), id); err != nil || p.HomePhone != patient.HomePhone {
			t.Errorf("a stale patient: %v", err)
		}
		if _, err := w.Appointments.Get(t.Context(), booked, w.clinic.Location()); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
			t.Errorf("an appointment before it was made: %v", err)
		}
		for _, newcomer := range newcomers {
			if _, err := w.Patients.Get(t.Context(), newcomer); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
				t.Errorf("a patient before it was made: %v", err)
			}
		}
		if n := w.countPatients(t); n != 300 {
			t.Errorf("%d patients before two more were made", n)
		}
		<-time.After(31 * time.Second)
		if n := w.countPatients(t); n != 302 {
			t.Errorf("%d patients afterwards, want two more", n)
		}
		now := byID(listDay(t, w.Client, w.clinic, noon, noon))
		if p, err := w.Patients.Get(t.Context(), id); err != nil || p.HomePhone != "(555) 555-0188" || len(now) != 90 || now[booked].ID == "" {
			t.Errorf("half a minute later: %d rows, %v", len(now), err)
		}
	})
}

// countPatients counts them by list, and holds the pages against it.
func (w world) countPatients(t *testing.T) int {
	t.Helper()
	list, err := w.Patients.List(t.Context(), tebra.ListPatientsRequest{PracticeID: w.id})
	if err != nil {
		t.Fatal(err)
	}
	paged := 0
	for page, err := range w.Patients.Pages(t.Context(), tebra.PatientPagesRequest{PracticeID: w.id, Size: 1000}) {
		if err != nil {
			t.Fatal(err)
		}
		paged += len(page.Rows)
	}
	if paged != len(list.Rows) {
		t.Errorf("%d patients by pages, %d by list", paged, len(list.Rows))
	}
	return paged
}

func TestForeignRows(t *testing.T) {
	t.Parallel()
	practices := []tebratest.Practice{{Name: "One"}, {Name: "Two"}}
	w := newWorld(t, tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: practices}}})
	w.sim.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{{Fault: tebratest.FaultForeignRows}}})
	all := "<k:Fields/><k:Filter>"
	for op, tt := range map[string]struct {
		members        string
		own, strangers int
	}{
		"GetAppointments":     {all + "<k:EndDate>2026-02-24</k:EndDate><k:PracticeName>One</k:PracticeName><k:StartDate>2026-02-24</k:StartDate></k:Filter>", 90, 1},
		"GetPatients":         {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 3000, 1},
		"GetAllPatients":      {all + "<k:BatchSize>3</k:BatchSize><k:PracticeID>1</k:PracticeID><k:StartKey>0</k:StartKey></k:Filter>", 3, 1},
		"GetPractices":        {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 1, 1},
		"GetProviders":        {all + "<k:PracticeName>One</k:PracticeName></k:Filter>", 4, 4},
		"GetServiceLocations": {"<n:Fields/><n:Filter><n:PracticeName>One</n:PracticeName></n:Filter>", 1, 1},
	} {
		got := post(t, w.sim, op, header(w.clinic.Account())+tt.members)
		if own, strangers := strings.Count(got, "PracticeName>One</"), strings.Count(got, "PracticeName>Two</"); own != tt.own || strangers != tt.strangers {
			t.Errorf("%s: %d rows and %d foreign ones, want %d and %d", op, own, strangers, tt.own, tt.strangers)
		}
	}
}

// Who asks for changes without an end gets those of visits to come, too.
func TestChangesWithoutAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	next := w.clinic.Appointments(noon.AddDate(0, 0, 20))[0]
	if err := w.clinic.Cancel(next.ID); err != nil {
		t.Fatal(err)
	}
	got := post(t, w.sim, "GetAppointments", header(w.clinic.Account())+"<k:Fields/><k:Filter><k:FromLastModifiedDate>2026-02-24</k:FromLastModifiedDate></k:Filter>")
	if !strings.Contains(got, "<ID>"+next.ID+"</ID>") {
		t.Errorf("the change of a visit in 20 days is not among %d rows", strings.Count(got, "<ID>"))
	}
}

func TestLongRangesMayBeAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{})
	ask := func(from, to string) string {
		return post(t, w.sim, "GetAppointments", header(w.clinic.Account())+
			"<k:Fields/><k:Filter><k:EndDate>"+to+"</k:EndDate><k:StartDate>"+from+"</k:StartDate></k:Filter>")
	}
	if got := ask("2026-01-01", "2026-03-11"); !strings.Contains(got, "InternalServiceFault") {
		t.Errorf("70 days: %.300s", got)
	}
	w.sim.SetFaults(tebratest.Faults{LongRanges: true})
	for to, rows := range map[string]int{"2026-03-11": 70 * 90, "2026-06-30": 10_000} {
		if n := strings.Count(ask("2026-01-01", to), "<ID>"); n != rows {
			t.Errorf("to %s: %d rows, want %d", to, n, rows)
		}
	}
}

func TestClockOffset(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tebratest.Config{Faults: tebratest.Faults{ClockOffset: -time.Hour}})
	v := w.clinic.Appointments(noon)[0]
	if err := w.clinic.SetStatus(v.ID, tebratest.Roomed); err != nil {
		t.Fatal(err)
	}
	if got := w.detail(t, v.ID).Updated; !got.Equal(noon.Add(-time.Hour)) {
		t.Errorf("changed at %v by the vendor's clock, want an hour before noon", got)
	}
}
