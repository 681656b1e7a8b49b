package tebratest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestCreateAndUpdatePatient(t *testing.T) {
	t.Parallel()
	now := noon
	w := newEnv(t, tebratest.Config{Now: func() time.Time { return now }})
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
		t.Errorf("an empty filter returns a patient: %.900s", got)
	}
	if _, err := w.Patients.GetByExternalID(ctx, "6", "ext-1"); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("another vendor's id: %v", err)
	}
	if err := w.Patients.Update(ctx, "5", w.id, tebra.PatientFields{City: tebra.Set("x")}); !errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		t.Errorf("unknown patient: %v", err)
	}
	if err := w.Patients.Update(ctx, id.Reveal(), "9", tebra.PatientFields{City: tebra.Set("x")}); !errors.Is(err, &tebra.Error{Code: tebra.Denied}) {
		t.Errorf("patient of another practice: %v", err)
	}
	if _, err := w.Patients.Create(ctx, "9", tebra.PatientFields{FirstName: tebra.Set("a"), LastName: tebra.Set("b")}); !errors.Is(err, &tebra.Error{Code: tebra.Denied}) {
		t.Errorf("unknown practice: %v", err)
	}
}

func TestEveryPatientIsOnExactlyOnePage(t *testing.T) {
	t.Parallel()
	w := newEnv(t, oneAccount(tebratest.Practice{Patients: 501}, tebratest.Practice{Patients: 7}))
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
					t.Fatalf("a patient is on two pages")
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
	w := newEnv(t, tebratest.Config{})
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
