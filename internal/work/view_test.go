package work

import (
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestWarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	warm := tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: tuesday}
	b.done(t, warm)
	b.demands(t, "sync schedule 7 2026-03-03..2026-03-03")
	if b.calls() != 0 {
		t.Errorf("warming made %d calls", b.calls())
	}
	b.done(t, days(tuesday, tuesday))
	b.demands(t, append(b.of(tuesday), "warm day-board 7 2026-03-03")...)
	b.done(t, warm)
	if r := b.board(t, tuesday); !r.Hit {
		t.Error("a warmed board is not a hit")
	}
	b.done(t, warm)
	b.demands(t)
	if b.calls() != 1 {
		t.Errorf("%d calls for one day", b.calls())
	}
}

func TestWarmCardsAndProviderDays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	v := b.visits(monday)[0]
	card := tasks.WarmView{View: tasks.PatientCard, Practice: "7", Date: monday, Patient: tasks.PatientID(v.PatientID)}
	his := tasks.WarmView{View: tasks.ProviderDay, Practice: "7", Date: monday, Provider: v.ProviderID}
	b.done(t, card)
	b.done(t, his)
	b.demands(t, "sync patient 7 "+v.PatientID, "sync schedule 7 2026-03-02..2026-03-02")
	want(t, b.run(t, card, tasks.Interactive()), tasks.OutcomeDone, "")
	b.demands(t, "interactive patient 7 "+v.PatientID) // as urgent as the read
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: card.Patient})
	b.done(t, card)
	b.demands(t, "sync schedule 7 2026-03-02..2026-03-29")
	b.done(t, days(monday, monday.Add(practice.CardDays-1)))
	b.demands(t, append(b.except(v.PatientID, monday, tuesday), boards(monday, monday.Add(soon))...)...)
	calls := b.calls()
	b.done(t, card)
	b.done(t, his)
	b.demands(t)
	if b.calls() != calls {
		t.Errorf("warming made %d calls", b.calls()-calls)
	}
	r, err := b.Store.PatientCard(t.Context(), clinicA, "7", phi.Text(v.PatientID), monday)
	must(t, err)
	p, err := b.Store.ProviderDay(t.Context(), clinicA, "7", v.ProviderID, monday)
	must(t, err)
	if !r.Hit || r.Unknown != 0 || !p.Hit {
		t.Errorf("warmed: card hit %v with %d days unknown, provider's day hit %v", r.Hit, r.Unknown, p.Hit)
	}
	b.vendor.SetFaults(tebratest.Faults{AbsentPatients: []string{"1000030"}})
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: "1000030"})
	card.Patient = "1000030"
	b.done(t, card) // an absent patient has no card
	b.demands(t)
}

func TestChangeWarmsRecentlyReadViewsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	v := b.visits(monday)[0]
	b.done(t, tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(v.PatientID)})
	must(t, b.clinic.SetStatus(v.ID, tebratest.CheckedIn))
	b.demands(t, append(b.of(monday), "warm day-board 7 2026-03-02")...)
	b.done(t, days(monday, monday))
	b.demands(t, append(b.except(v.PatientID, monday), "warm day-board 7 2026-03-02")...)
	_, err := b.Store.PatientCard(t.Context(), clinicA, "7", phi.Text(v.PatientID), monday)
	must(t, err)
	_, err = b.Store.ProviderDay(t.Context(), clinicA, "7", v.ProviderID, monday)
	must(t, err)
	made := []string{"warm day-board 7 2026-03-02", "warm patient-card 7 2026-03-02 " + v.PatientID, "warm provider-day 7 2026-03-02 " + v.ProviderID}
	must(t, b.clinic.SetStatus(v.ID, tebratest.Roomed))
	b.done(t, days(monday, monday))
	b.demands(t, append(b.except(v.PatientID, monday), made...)...)
	must(t, b.clinic.SetStatus(v.ID, tebratest.CheckedOut))
	b.done(t, tasks.SyncAppointment{Practice: "7", Appointment: tasks.EntityID(v.ID)})
	b.demands(t, made...)
}

// boards returns the demands for the boards of some days.
func boards(from, to civil.Date) []string {
	var out []string
	for _, d := range civil.Range(from, to) {
		out = append(out, "warm day-board 7 "+d.String())
	}
	return out
}

// except returns the demands of the method of, without one patient whose record is known.
func (b *bundle) except(id string, days ...civil.Date) []string {
	return slices.DeleteFunc(b.of(days...), func(d string) bool { return d == "sync patient 7 "+id })
}
