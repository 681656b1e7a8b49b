package tebratest_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestSingleAppointmentsMatchVisits(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
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
			t.Errorf("visit with one patient is %+v", a)
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
		t.Errorf("unknown appointment: %v", err)
	}
}

// The visits of a series have the same patient at the same time every week.
func TestSeriesRecurWeekly(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
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
	if other != 1 && other != 2 { // a series ends after eight weeks
		t.Errorf("%d weeks equal the next one, %d do not", same, other)
	}
}

func TestCreateUpdateAndDeleteAppointment(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
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
		t.Fatalf("visit is %+v, %v", staff, err)
	}
	change := w.detail(t, staff.ID).Update()
	change.Status, change.Start, change.End = tebra.StatusCheckedIn, start.AddDate(0, 0, 1), start.AddDate(0, 0, 1).Add(time.Hour)
	updated, err := w.Appointments.Update(ctx, change, zone)
	if err != nil {
		t.Fatal(err)
	}
	if staff, err = w.clinic.Appointment(staff.ID); err != nil || staff.Status != tebratest.CheckedIn || !staff.Start.Equal(change.Start) ||
		staff.Notes != "a <note>" || staff.Reason != "New Patient" || staff.CaseID != "77" || staff.Mode != "Telehealth" {
		t.Errorf("visit after the update is %+v, %v", staff, err)
	}
	if diff := cmp.Diff(updated, w.detail(t, staff.ID), revealed); diff != "" {
		t.Errorf("response of the update differs from a later read:\n%s", diff)
	}
	if len(listDay(t, w.Client, w.clinic, change.Start, change.Start)) != 91 || len(listDay(t, w.Client, w.clinic, start, start)) != 90 {
		t.Error("the visit is not on its new day")
	}
	if err := w.Appointments.SetStatus(ctx, staff.ID, tebra.StatusNoShow); err != nil {
		t.Error(err)
	}
	if staff, err = w.clinic.Appointment(staff.ID); err != nil || staff.Status != tebratest.NoShow || staff.Notes != "a <note>" {
		t.Errorf("visit after the status change is %+v, %v", staff, err)
	}
	if err := w.Appointments.Delete(ctx, staff.ID); err != nil {
		t.Error(err)
	}
	if err := w.Appointments.Delete(ctx, staff.ID); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("second delete: %v", err)
	}
	if _, err := w.clinic.Appointment(staff.ID); !errors.Is(err, tebratest.ErrNotFound) || !w.detail(t, staff.ID).Deleted {
		t.Errorf("after the delete: %v", err)
	}
}

func TestCreateGroupSeries(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	zone, people := w.clinic.Location(), w.clinic.Patients()
	start := time.Date(2026, 3, 3, 10, 0, 0, 0, zone) // the time changes within the week
	request := tebra.NewAppointment{
		PracticeID: w.id, ServiceLocationID: "3", Start: start, End: start.Add(time.Hour), ProviderID: "7", Name: "A group", MaxAttendees: 5,
		Attendees:  []phi.Text{phi.Text(people[4].ID), phi.Text(people[5].ID)},
		Recurrence: &tebra.Recurrence{Start: start, EveryDays: 7, Occurrences: 3},
	}
	made, err := w.Appointments.Create(t.Context(), request, zone)
	if err != nil {
		t.Fatal(err)
	}
	if made.Name != "A group" || made.MaxAttendees != 5 || len(made.Attendees) != 2 || !made.Recurring || made.Recurrence == nil ||
		made.Recurrence.EveryDays != 7 || made.Recurrence.Occurrences != 3 {
		t.Errorf("created %+v with %+v", made, made.Recurrence)
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
			t.Errorf("week %d has %d visits of the series, want %d", week, found, want)
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
		"until a day":         {tebra.Recurrence{EveryDays: 2, End: start.AddDate(0, 0, 9)}, 5},
		"without an end":      {tebra.Recurrence{EveryDays: 2}, 1},
		"without an interval": {tebra.Recurrence{Occurrences: 3}, 3},
		"endless":             {tebra.Recurrence{EveryDays: 1, Occurrences: 1_000_000_000}, 100},
	} {
		request.Recurrence = &tt.rule
		made, err := w.Appointments.Create(t.Context(), request, zone)
		if err != nil || made.Recurrence == nil || made.Recurrence.Occurrences != tt.want {
			t.Errorf("%s: %+v, %v, want %d", name, made, err, tt.want)
		}
	}
}

// Generated days include cancelled visits in lists, and deleted visits that only single reads
// return.
func TestDaysHaveCancelledAndDeletedVisits(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
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
		if _, err := w.clinic.Appointment(id); !errors.Is(err, tebratest.ErrNotFound) {
			t.Errorf("Appointment returns a deleted visit: %v", err)
		}
	}
	if _, err := w.Appointments.Get(t.Context(), strconv.Itoa(last+3), time.UTC); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("more than two deleted visits: %v", err)
	}
}

func TestUpdatesClobberOrMerge(t *testing.T) {
	t.Parallel()
	for updates, want := range map[string]string{"": "", "clobber": "", "merge": "77"} {
		w := newEnv(t, tebratest.Config{Faults: tebratest.Faults{Updates: updates}})
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
			t.Errorf("%q: a case that was not sent is %q, want %q", updates, got, want)
		}
	}
	for updates, want := range map[string]string{"": "(555) 555-0101", "clobber": "", "merge": "(555) 555-0101"} {
		w := newEnv(t, tebratest.Config{Faults: tebratest.Faults{Updates: updates}})
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

func TestInvalidWritesAreRejected(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
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
		t.Errorf("unknown patient: %v", err)
	}
	if got, err := w.clinic.Appointment(v.ID); err != nil || !cmp.Equal(got, v) {
		t.Errorf("a rejected update resulted in %+v, %v", got, err)
	}
	if err := w.Appointments.SetStatus(t.Context(), "5", tebra.StatusRoomed); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("unknown appointment: %v", err)
	}
}
