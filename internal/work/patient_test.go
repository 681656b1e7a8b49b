package work

import (
	"fmt"
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
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

// A merged patient is final. The days that show a visit under the old number are read again, and
// show the patient that it was merged into.
func TestMergedPatient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, tuesday))
	b.demands(t, append(b.of(monday, tuesday), "warm day-board 7 2026-03-02", "warm day-board 7 2026-03-03")...)
	from, into := b.visits(monday)[0].PatientID, b.visits(monday)[1].PatientID
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(from)})
	must(t, b.clinic.MergePatients(from, into))
	onTuesday := slices.ContainsFunc(b.board(t, tuesday).Board.Rows, func(r practice.BoardRow) bool { return r.Patient.Reveal() == from })
	want(t, b.run(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(from)}), tasks.OutcomeDead, "vendor_merged")
	last := monday
	if onTuesday {
		last = tuesday
	}
	b.demands(t, fmt.Sprintf("sync schedule 7 %s..%s", monday, last))
	taskstest.RequireNotEnqueued(t, b.queue, tasks.SyncPatient{}.Kind()) // not even for later
	if b.toFetch(t, from) {
		t.Error("the old number is read again at once")
	}
	want(t, b.run(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(from)}), tasks.OutcomeDead, "vendor_merged")
	b.demands(t) // the vendor may go on listing the old number
	b.done(t, days(monday, tuesday))
	for _, on := range []civil.Date{monday, tuesday} {
		for _, r := range b.board(t, on).Board.Rows {
			if r.Patient.Reveal() == from {
				t.Errorf("the board of %s shows the old number", on)
			}
		}
	}
}
