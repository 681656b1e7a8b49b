package work

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestAppointment(t *testing.T) {
	t.Parallel()
	const monday2, both = "sync schedule 7 2026-03-02..2026-03-02", "sync schedule 7 2026-03-02..2026-03-03"
	for name, c := range map[string]struct {
		change  func(t *testing.T, b *bundle, v tebratest.Visit)
		stale   bool // the board of the day is stale until the day is read again
		demands func(v tebratest.Visit) []string
	}{
		"as it was": {func(*testing.T, *bundle, tebratest.Visit) {}, false, func(tebratest.Visit) []string { return nil }},
		"a status": {func(t *testing.T, b *bundle, v tebratest.Visit) {
			t.Helper()
			must(t, b.clinic.SetStatus(v.ID, tebratest.CheckedIn))
		}, false, func(tebratest.Visit) []string { return []string{"warm day-board 7 2026-03-02"} }},
		"moved": {func(t *testing.T, b *bundle, v tebratest.Visit) {
			t.Helper()
			must(t, b.clinic.Move(v.ID, v.Start.AddDate(0, 0, 1)))
		}, true, func(tebratest.Visit) []string { return []string{both} }},
		"moved to a day that was not read": {func(t *testing.T, b *bundle, v tebratest.Visit) {
			t.Helper()
			must(t, b.clinic.Move(v.ID, v.Start.AddDate(0, 0, 9)))
		}, true, func(tebratest.Visit) []string { return []string{monday2} }},
		"deleted": {func(t *testing.T, b *bundle, v tebratest.Visit) {
			t.Helper()
			must(t, b.clinic.Delete(v.ID))
		}, true, func(tebratest.Visit) []string { return []string{monday2} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.done(t, days(monday, tuesday))
			b.done(t, days(monday, tuesday)) // reaches further back than the first
			b.demands(t, append(b.of(monday, tuesday), "warm day-board 7 2026-03-02", "warm day-board 7 2026-03-03")...)
			v := b.visits(monday)[3]
			before := b.board(t, monday)
			c.change(t, b, v)
			id := tasks.EntityID(v.ID)
			b.done(t, tasks.InvalidateEntity{Practice: "7", Noun: tasks.NounAppointment, ID: id})
			b.demands(t, "sync appointment 7 "+v.ID)
			if !b.board(t, monday).Stale {
				t.Error("the visit is in doubt, and the board is not stale")
			}
			calls := b.calls()
			sync := tasks.SyncAppointment{Practice: "7", Appointment: id}
			b.done(t, sync)
			b.done(t, sync)
			b.demands(t, c.demands(v)...)
			r := b.board(t, monday)
			if r.Stale != c.stale || !r.AsOf.Equal(before.AsOf) || len(r.Board.Rows) != len(before.Board.Rows) || b.calls() != calls+2 {
				t.Errorf("stale %v, %d rows, confirmed %v later, %d calls", r.Stale, len(r.Board.Rows), r.AsOf.Sub(before.AsOf), b.calls()-calls)
			}
			now, err := b.clinic.Appointment(v.ID)
			if !c.stale && (err != nil || r.Board.Rows[3].Status != practice.ParseStatus(now.Status)) {
				t.Errorf("the board shows %s", r.Board.Rows[3].Status)
			}
			// The day's list agrees with the single answer.
			b.done(t, days(monday, monday))
			if again := b.board(t, monday); !c.stale && !again.Hit {
				t.Error("the list counts it as a change")
			}
		})
	}
}

func TestUnknownAppointment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	b.demands(t, append(b.of(monday), "warm day-board 7 2026-03-02")...)
	noon := monday.In(b.clinic.Location()).Add(12 * time.Hour)
	id, err := b.clinic.Book(b.clinic.Patients()[0].ID, noon, 0)
	must(t, err)
	b.done(t, tasks.SyncAppointment{Practice: "7", Appointment: tasks.EntityID(id)})
	b.demands(t, "sync schedule 7 2026-03-02..2026-03-02")
	later, err := b.clinic.Book(b.clinic.Patients()[0].ID, noon.AddDate(0, 0, 40), 0)
	must(t, err)
	b.done(t, tasks.SyncAppointment{Practice: "7", Appointment: tasks.EntityID(later)}) // on a day without a roster
	b.done(t, tasks.SyncAppointment{Practice: "7", Appointment: "404"})
	b.demands(t)
	b.vendor.SetFaults(tebratest.Faults{Outage: true})
	want(t, b.run(t, tasks.SyncAppointment{Practice: "7", Appointment: "404"}), tasks.OutcomeLater, "vendor_unavailable")
}
