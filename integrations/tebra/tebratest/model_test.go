package tebratest_test

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// book is what everybody should know: the visits and people that were written, by identifier.
type book struct {
	world

	visits  map[phi.Text]booking
	people  map[phi.Text]person
	touched phi.Text // what the last step wrote
}

type booking struct {
	Start, End           time.Time
	Patient, Notes, Case phi.Text
	Status               tebra.AppointmentStatus
	Mode                 string
	Deleted, Group       bool
}

type person struct{ First, Last, City, Email, Work phi.Text }

// Whatever is written in whatever order is what single reads, lists and the staff have, and nothing else is.
func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		b := &book{
			world: newWorld(t, tebratest.Config{
				Now: func() time.Time { return noon },
				Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: []tebratest.Practice{
					{Patients: 5, VisitsPerDay: -1, Zone: rapid.SampledFrom([]string{"America/Chicago", "America/Phoenix", "Asia/Kolkata"}).Draw(rt, "zone")},
				}}},
			}),
			visits: map[phi.Text]booking{}, people: map[phi.Text]person{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"book": b.book, "change": b.change, "set status": b.setStatus, "delete": b.remove, "register": b.register, "correct": b.correct,
			"": func(t *rapid.T) { b.read(t, b.touched) },
		})
		b.check(rt)
	})
}

// text is anything that XML can carry, some of it what naive code trips over; without white space around it, of which nobody
// knows whether the vendor keeps it.
func text(t *rapid.T, label string) phi.Text {
	hard := []string{"O'Hara", `"Q" <b>&amp;`, "]]>", "<!-- -->", "tab\tand\r\nlines", "Жук 李 🙂", "NULL", "0", "true", "\u202e", "-1"}
	strange := rapid.StringOfN(rapid.RuneFrom([]rune("aZ <&>'\"\n\r\t]\u00e9\u4e2d\ufffd🙂")), 1, 20, -1)
	drawn := rapid.OneOf(rapid.SampledFrom(hard), strange).Draw(t, label)
	return phi.Text(cmp.Or(strings.TrimSpace(drawn), "x"))
}

// one draws a key of those for which ok holds; "" when there is none.
func one[V any](t *rapid.T, all map[phi.Text]V, ok func(V) bool) phi.Text {
	var keys []phi.Text
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if ok(all[k]) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return rapid.SampledFrom(keys).Draw(t, "which")
}

func (v booking) stands() bool { return !v.Deleted }

func (b *book) when(t *rapid.T) (start, end time.Time) {
	minutes := rapid.IntRange(-5*24*60, 5*24*60).Draw(t, "start")
	start = noon.Add(time.Duration(minutes) * time.Minute).In(b.clinic.Location())
	return start, start.Add(time.Duration(rapid.IntRange(1, 180).Draw(t, "minutes")) * time.Minute)
}

var writable = []tebra.AppointmentStatus{tebra.StatusScheduled, tebra.StatusConfirmed, tebra.StatusCheckedIn, tebra.StatusNoShow, tebra.StatusCancelled}

func (b *book) book(t *rapid.T) {
	start, end := b.when(t)
	v := booking{
		Start: start, End: end, Status: rapid.SampledFrom(writable).Draw(t, "status"), Notes: text(t, "notes"),
		Patient: phi.Text(rapid.SampledFrom(b.clinic.Patients()).Draw(t, "patient").ID), Mode: rapid.SampledFrom([]string{"InOffice", "Telehealth"}).Draw(t, "mode"),
	}
	a := tebra.NewAppointment{
		PracticeID: b.id, ServiceLocationID: "3", Start: start, End: end, Status: v.Status, Notes: v.Notes, Mode: v.Mode, ProviderID: "7",
	}
	if v.Group = rapid.Bool().Draw(t, "group"); v.Group {
		a.Attendees, v.Patient = []phi.Text{v.Patient}, ""
	} else {
		a.Patient = v.Patient
	}
	made, err := b.Appointments.Create(t.Context(), a, b.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	b.visits[made.ID], b.touched = v, made.ID
}

// change rewrites a visit from what is read of it; what is not changed must survive.
func (b *book) change(t *rapid.T) {
	id := one(t, b.visits, booking.stands)
	if id == "" {
		return
	}
	a, err := b.Appointments.Get(t.Context(), id.Reveal(), b.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	v, change := b.visits[id], a.Update()
	switch rapid.IntRange(0, 3).Draw(t, "part") {
	case 0:
		v.Start, v.End = b.when(t)
		change.Start, change.End = v.Start, v.End
	case 1:
		v.Notes = text(t, "notes")
		change.Notes = v.Notes
	case 2:
		v.Case = phi.Text(rapid.SampledFrom([]string{"77", "78"}).Draw(t, "case"))
		change.CaseID = v.Case
	case 3:
		v.Notes, change.Notes = "", ""
	}
	if _, err := b.Appointments.Update(t.Context(), change, b.clinic.Location()); err != nil {
		t.Fatal(err)
	}
	b.visits[id], b.touched = v, id
}

func (b *book) setStatus(t *rapid.T) {
	id := one(t, b.visits, booking.stands)
	if id == "" {
		return
	}
	v := b.visits[id]
	v.Status = rapid.SampledFrom(writable).Draw(t, "status")
	if err := b.Appointments.SetStatus(t.Context(), id.Reveal(), v.Status); err != nil {
		t.Fatal(err)
	}
	b.visits[id], b.touched = v, id
}

func (b *book) remove(t *rapid.T) {
	id := one(t, b.visits, func(booking) bool { return true })
	if id == "" {
		return
	}
	v := b.visits[id]
	err := b.Appointments.Delete(t.Context(), id.Reveal())
	if v.Deleted != errors.Is(err, &tebra.Error{Code: tebra.NotFound}) || !v.Deleted && err != nil {
		t.Fatalf("deleted before %t: %v", v.Deleted, err)
	}
	v.Deleted = true
	b.visits[id], b.touched = v, id
}

func (b *book) register(t *rapid.T) {
	p := person{First: text(t, "first"), Last: text(t, "last"), City: text(t, "city")}
	id, err := b.Patients.Create(t.Context(), b.id, tebra.PatientFields{FirstName: tebra.Set(p.First), LastName: tebra.Set(p.Last), City: tebra.Set(p.City)})
	if err != nil {
		t.Fatal(err)
	}
	b.people[id], b.touched = p, id
}

// correct sets, clears or leaves each of some members.
func (b *book) correct(t *rapid.T) {
	id := one(t, b.people, func(person) bool { return true })
	if id == "" {
		return
	}
	p := b.people[id]
	draw := func(label string, now *phi.Text) tebra.Change {
		switch rapid.IntRange(0, 2).Draw(t, label) {
		case 0:
			*now = text(t, label)
			return tebra.Set(*now)
		case 1:
			*now = ""
			return tebra.Clear()
		}
		return tebra.Change{}
	}
	fields := tebra.PatientFields{City: draw("city", &p.City), Email: draw("email", &p.Email), WorkPhone: draw("work", &p.Work)}
	if err := b.Patients.Update(t.Context(), id.Reveal(), b.id, fields); err != nil {
		t.Fatal(err)
	}
	b.people[id], b.touched = p, id
}

// read compares one record, a visit or a person, with what was written last.
func (b *book) read(t *rapid.T, id phi.Text) {
	if want, ok := b.visits[id]; ok {
		a, err := b.Appointments.Get(t.Context(), id.Reveal(), b.clinic.Location())
		if err != nil {
			t.Fatal(err)
		}
		got := booking{
			Start: a.Start, End: a.End, Patient: a.Patient, Notes: a.Notes, Case: a.CaseID, Status: a.Status, Mode: a.Mode, Deleted: a.Deleted, Group: a.Group,
		}
		if diff := gocmp.Diff(want, got, revealed); diff != "" {
			t.Fatalf("a visit is not as it was written:\n%s", diff)
		}
	}
	if want, ok := b.people[id]; ok {
		p, err := b.Patients.Get(t.Context(), id.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, person{p.FirstName, p.LastName, p.City, p.Email, p.WorkPhone}, revealed); diff != "" {
			t.Fatalf("a patient is not as they were written:\n%s", diff)
		}
	}
}

// check compares everything with what the lists say.
func (b *book) check(t *rapid.T) {
	type row struct {
		Start, End     time.Time
		Patient, Notes phi.Text
	}
	listed, want := map[phi.Text]row{}, map[phi.Text]row{}
	list, err := b.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{
		PracticeName: "Example Practice 1", From: noon.AddDate(0, 0, -8), To: noon.AddDate(0, 0, 8), Location: b.clinic.Location(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Rows {
		listed[r.ID] = row{r.Start, r.End, r.PatientID, r.Notes}
		if b.visits[r.ID].Group {
			listed[r.ID] = row{r.Start, r.End, "", r.Notes} // whom a list names of a group is the vendor's choice
		}
	}
	for id, v := range b.visits {
		if !v.Deleted {
			want[id] = row{v.Start, v.End, v.Patient, v.Notes}
		}
	}
	if diff := gocmp.Diff(want, listed, revealed); diff != "" {
		t.Fatalf("the list is not what was written:\n%s", diff)
	}
	all, err := b.Patients.List(t.Context(), tebra.ListPatientsRequest{PracticeID: b.id})
	if err != nil || len(all.Rows) != 5+len(b.people) {
		t.Fatalf("%d patients, %v, want %d", len(all.Rows), err, 5+len(b.people))
	}
	people := map[phi.Text]person{}
	for _, p := range all.Rows {
		if _, ours := b.people[p.ID]; ours {
			people[p.ID] = person{p.FirstName, p.LastName, p.City, p.Email, p.WorkPhone}
		}
	}
	if diff := gocmp.Diff(b.people, people, revealed); diff != "" {
		t.Fatalf("the patients are not what was written:\n%s", diff)
	}
}
