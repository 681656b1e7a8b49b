package work

import (
	"testing"

	"github.com/workflow-bolt/rounds/tasks"
)

func TestInvalidate(t *testing.T) {
	t.Parallel()
	const monday2 = "sync schedule 7 2026-03-02..2026-03-02"
	for name, c := range map[string]struct {
		noun    string
		id      func(*bundle) string
		stale   bool // the board shows a part that is in doubt
		hit     bool // the board is still in the cache
		demands func(*bundle) []string
	}{
		"appointment": {
			tasks.NounAppointment, func(b *bundle) string { return b.visits(monday)[0].ID }, true, false,
			func(b *bundle) []string { return []string{"sync appointment 7 " + b.visits(monday)[0].ID} },
		},
		"appointment that was never seen": {
			tasks.NounAppointment, func(*bundle) string { return "404" }, false, true,
			func(*bundle) []string { return []string{"sync appointment 7 404"} },
		},
		"patient": {
			tasks.NounPatient, func(b *bundle) string { return b.visits(monday)[0].PatientID }, false, false,
			func(b *bundle) []string { return []string{"sync patient 7 " + b.visits(monday)[0].PatientID} },
		},
		"provider": {
			tasks.NounProvider, func(*bundle) string { return "107" }, false, false,
			func(*bundle) []string { return []string{"sync directory 7"} },
		},
		"practice": {
			tasks.NounPractice, func(*bundle) string { return "" }, true, false,
			func(*bundle) []string { return []string{"sync directory 7", "sync locations 7", monday2} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.done(t, days(monday, monday))
			b.demands(t, append(b.of(monday), "warm day-board 7 2026-03-02")...)
			b.board(t, monday)
			calls := b.calls()
			for range 2 { // as after a crash between the cache and the queue
				b.done(t, tasks.InvalidateEntity{Practice: "7", Noun: c.noun, ID: tasks.EntityID(c.id(b))})
			}
			if b.calls() != calls {
				t.Error("it called the vendor")
			}
			if r := b.board(t, monday); r.Stale != c.stale || r.Hit != c.hit {
				t.Errorf("the board is stale %v, hit %v", r.Stale, r.Hit)
			}
			b.demands(t, c.demands(b)...)
		})
	}
}
