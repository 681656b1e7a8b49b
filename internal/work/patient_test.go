package work

import (
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

func (b *bundle) toFetch(t *testing.T, id string) bool {
	t.Helper()
	f, err := b.Store.PatientsToFetch(t.Context(), clinicA, "7", []practice.Appointment{{Patient: phi.Text(id)}})
	must(t, err)
	return len(f.Missing) > 0
}

func TestPatient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	v := b.visits(monday)[0]
	sync := tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(v.PatientID)}
	b.done(t, sync)
	must(t, b.clinic.SetPhone(v.PatientID, "555-0123"))
	b.board(t, monday)
	b.done(t, sync)
	row := b.board(t, monday).Board.Rows[0]
	if !row.Known || row.Phone.Reveal() != "555-0123" {
		t.Errorf("the board knows the patient: %v, with the new number: %v", row.Known, row.Phone.Reveal() == "555-0123")
	}
	if b.toFetch(t, v.PatientID) {
		t.Error("a patient that was just fetched is to be fetched again")
	}
}

func TestAbsentPatient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.clinic.Patients()[0].ID
	sync := tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(id)}
	b.vendor.SetFaults(tebratest.Faults{AbsentPatients: []string{id}})
	if !b.toFetch(t, id) {
		t.Fatal("a patient that was never fetched is known")
	}
	b.done(t, sync)
	if b.toFetch(t, id) {
		t.Error("the patient's absence was not recorded")
	}
	b.vendor.SetFaults(tebratest.Faults{FailPatients: []string{id}})
	want(t, b.run(t, sync), tasks.OutcomeLater, "vendor_unavailable")
	want(t, b.run(t, tasks.SyncPatient{Practice: "7", Patient: "letters"}), tasks.OutcomeDead, "vendor_invalid")
}

func TestPatientThatChangesDuringTheCall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.clinic.Patients()[0].ID
	sync := tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(id)}
	b.line.answer = func(body string) string {
		b.line.answer = nil
		want(t, b.run(t, tasks.InvalidateEntity{Practice: "7", Noun: tasks.NounPatient, ID: tasks.EntityID(id)}), tasks.OutcomeDone, "")
		return body
	}
	want(t, b.run(t, sync), tasks.OutcomeLater, "conflict")
	if !b.toFetch(t, id) {
		t.Error("an answer older than the change was applied")
	}
	b.done(t, sync)
}
