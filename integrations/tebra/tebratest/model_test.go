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

// model contains the visits and patients that were written, by identifier.
type model struct {
	env

	visits      map[phi.Text]visitState
	people      map[phi.Text]patientState
	lastWritten phi.Text // identifier of the record that the last step wrote
}

type visitState struct {
	Start, End           time.Time
	Patient, Notes, Case phi.Text
	Status               tebra.AppointmentStatus
	Mode                 string
	Deleted, Group       bool
}

type patientState struct{ First, Last, City, Email, Work phi.Text }

// After any sequence of writes, single reads and lists return exactly what was written.
func TestReadsReturnWhatWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		m := &model{
			env: newEnv(t, oneAccount(tebratest.Practice{
				Patients: 5, VisitsPerDay: -1, Zone: rapid.SampledFrom([]string{"America/Chicago", "America/Phoenix", "Asia/Kolkata"}).Draw(rt, "zone"),
			})),
			visits: map[phi.Text]visitState{}, people: map[phi.Text]patientState{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "change": m.change, "set status": m.setStatus, "delete": m.remove, "register": m.register, "correct": m.correct,
			"": func(t *rapid.T) { m.read(t, m.lastWritten) },
		})
		m.check(rt)
	})
}

// text draws a text that XML can represent, including texts that careless code mishandles. It has
// no leading or trailing white space, because it is unknown whether the vendor keeps it.
func text(t *rapid.T, label string) phi.Text {
	difficult := []string{"O'Hara", `"Q" <b>&amp;`, "]]>", "<!-- -->", "tab\tand\r\nlines", "Жук 李 🙂", "NULL", "0", "true", "\u202e", "-1"}
	arbitrary := rapid.StringOfN(rapid.RuneFrom([]rune("aZ <&>'\"\n\r\t]\u00e9\u4e2d\ufffd🙂")), 1, 20, -1)
	drawn := rapid.OneOf(rapid.SampledFrom(difficult), arbitrary).Draw(t, label)
	return phi.Text(cmp.Or(strings.TrimSpace(drawn), "x"))
}

// drawKey draws a key of a value that satisfies ok; "" if there is none.
func drawKey[V any](t *rapid.T, all map[phi.Text]V, ok func(V) bool) phi.Text {
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

func (v visitState) isActive() bool { return !v.Deleted }

func (m *model) drawTimes(t *rapid.T) (start, end time.Time) {
	minutes := rapid.IntRange(-5*24*60, 5*24*60).Draw(t, "start")
	start = noon.Add(time.Duration(minutes) * time.Minute).In(m.clinic.Location())
	return start, start.Add(time.Duration(rapid.IntRange(1, 180).Draw(t, "minutes")) * time.Minute)
}

var writable = []tebra.AppointmentStatus{tebra.StatusScheduled, tebra.StatusConfirmed, tebra.StatusCheckedIn, tebra.StatusNoShow, tebra.StatusCancelled}

func (m *model) create(t *rapid.T) {
	start, end := m.drawTimes(t)
	v := visitState{
		Start: start, End: end, Status: rapid.SampledFrom(writable).Draw(t, "status"), Notes: text(t, "notes"),
		Patient: phi.Text(rapid.SampledFrom(m.clinic.Patients()).Draw(t, "patient").ID), Mode: rapid.SampledFrom([]string{"InOffice", "Telehealth"}).Draw(t, "mode"),
	}
	a := tebra.NewAppointment{
		PracticeID: m.id, ServiceLocationID: "3", Start: start, End: end, Status: v.Status, Notes: v.Notes, Mode: v.Mode, ProviderID: "7",
	}
	if v.Group = rapid.Bool().Draw(t, "group"); v.Group {
		a.Attendees, v.Patient = []phi.Text{v.Patient}, ""
	} else {
		a.Patient = v.Patient
	}
	made, err := m.Appointments.Create(t.Context(), a, m.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	m.visits[made.ID], m.lastWritten = v, made.ID
}

// change updates one part of a visit that was read; the other parts must remain.
func (m *model) change(t *rapid.T) {
	id := drawKey(t, m.visits, visitState.isActive)
	if id == "" {
		return
	}
	a, err := m.Appointments.Get(t.Context(), id.Reveal(), m.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	v, change := m.visits[id], a.Update()
	switch rapid.IntRange(0, 3).Draw(t, "part") {
	case 0:
		v.Start, v.End = m.drawTimes(t)
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
	if _, err := m.Appointments.Update(t.Context(), change, m.clinic.Location()); err != nil {
		t.Fatal(err)
	}
	m.visits[id], m.lastWritten = v, id
}

func (m *model) setStatus(t *rapid.T) {
	id := drawKey(t, m.visits, visitState.isActive)
	if id == "" {
		return
	}
	v := m.visits[id]
	v.Status = rapid.SampledFrom(writable).Draw(t, "status")
	if err := m.Appointments.SetStatus(t.Context(), id.Reveal(), v.Status); err != nil {
		t.Fatal(err)
	}
	m.visits[id], m.lastWritten = v, id
}

func (m *model) remove(t *rapid.T) {
	id := drawKey(t, m.visits, func(visitState) bool { return true })
	if id == "" {
		return
	}
	v := m.visits[id]
	err := m.Appointments.Delete(t.Context(), id.Reveal())
	if v.Deleted != errors.Is(err, &tebra.Error{Code: tebra.NotFound}) || !v.Deleted && err != nil {
		t.Fatalf("already deleted %t: %v", v.Deleted, err)
	}
	v.Deleted = true
	m.visits[id], m.lastWritten = v, id
}

func (m *model) register(t *rapid.T) {
	p := patientState{First: text(t, "first"), Last: text(t, "last"), City: text(t, "city")}
	id, err := m.Patients.Create(t.Context(), m.id, tebra.PatientFields{FirstName: tebra.Set(p.First), LastName: tebra.Set(p.Last), City: tebra.Set(p.City)})
	if err != nil {
		t.Fatal(err)
	}
	m.people[id], m.lastWritten = p, id
}

// correct sets, clears or leaves unchanged each of several members.
func (m *model) correct(t *rapid.T) {
	id := drawKey(t, m.people, func(patientState) bool { return true })
	if id == "" {
		return
	}
	p := m.people[id]
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
	if err := m.Patients.Update(t.Context(), id.Reveal(), m.id, fields); err != nil {
		t.Fatal(err)
	}
	m.people[id], m.lastWritten = p, id
}

// read compares one visit or patient with what was written.
func (m *model) read(t *rapid.T, id phi.Text) {
	if want, ok := m.visits[id]; ok {
		a, err := m.Appointments.Get(t.Context(), id.Reveal(), m.clinic.Location())
		if err != nil {
			t.Fatal(err)
		}
		got := visitState{
			Start: a.Start, End: a.End, Patient: a.Patient, Notes: a.Notes, Case: a.CaseID, Status: a.Status, Mode: a.Mode, Deleted: a.Deleted, Group: a.Group,
		}
		if diff := gocmp.Diff(want, got, revealed); diff != "" {
			t.Fatalf("visit differs from what was written:\n%s", diff)
		}
	}
	if want, ok := m.people[id]; ok {
		p, err := m.Patients.Get(t.Context(), id.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, patientState{p.FirstName, p.LastName, p.City, p.Email, p.WorkPhone}, revealed); diff != "" {
			t.Fatalf("patient differs from what was written:\n%s", diff)
		}
	}
}

// check compares everything with the lists.
func (m *model) check(t *rapid.T) {
	type row struct {
		Start, End     time.Time
		Patient, Notes phi.Text
	}
	listed, want := map[phi.Text]row{}, map[phi.Text]row{}
	list, err := m.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{
		PracticeName: "Example Practice 1", From: noon.AddDate(0, 0, -8), To: noon.AddDate(0, 0, 8), Location: m.clinic.Location(),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.Rows {
		listed[r.ID] = row{r.Start, r.End, r.PatientID, r.Notes}
		if m.visits[r.ID].Group {
			// Which patient of a group a list names is unspecified.
			listed[r.ID] = row{r.Start, r.End, "", r.Notes}
		}
	}
	for id, v := range m.visits {
		if !v.Deleted {
			want[id] = row{v.Start, v.End, v.Patient, v.Notes}
		}
	}
	if diff := gocmp.Diff(want, listed, revealed); diff != "" {
		t.Fatalf("list differs from what was written:\n%s", diff)
	}
	all, err := m.Patients.List(t.Context(), tebra.ListPatientsRequest{PracticeID: m.id})
	if err != nil || len(all.Rows) != 5+len(m.people) {
		t.Fatalf("%d patients, %v, want %d", len(all.Rows), err, 5+len(m.people))
	}
	people := map[phi.Text]patientState{}
	for _, p := range all.Rows {
		if _, ours := m.people[p.ID]; ours {
			people[p.ID] = patientState{p.FirstName, p.LastName, p.City, p.Email, p.WorkPhone}
		}
	}
	if diff := gocmp.Diff(m.people, people, revealed); diff != "" {
		t.Fatalf("patients differ from what was written:\n%s", diff)
	}
}
