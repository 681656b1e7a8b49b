package work

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/tasks"
)

// The reading that looks back furthest finds an entry that nothing is known of, although lists
// select by start, and the entry is then found on its other days: up to the 59th after its first.
func TestLongEntryIsFound(t *testing.T) {
	t.Parallel()
	furthest := policy("GetAppointments").MaxDays - 1
	for name, c := range map[string]struct {
		began int // days before today
		found bool
	}{
		"three weeks":    {21, true},
		"the furthest":   {furthest, true},
		"a day too long": {furthest + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			began, last := monday.Add(-c.began), monday.Add(12)
			at := func(d civil.Date, hour int) time.Time {
				return d.In(b.clinic.Location()).Add(time.Duration(hour) * time.Hour)
			}
			id := b.clinic.Enter(tebratest.Visit{Type: "O", Start: at(began, 8), End: at(last, 17)})
			shown := func(want bool, from, to civil.Date) {
				t.Helper()
				for _, d := range civil.Range(from, to) {
					found := false
					for _, row := range b.board(t, d).Board.Rows {
						found = found || row.Appointment.Reveal() == id
					}
					if found != want {
						t.Errorf("%s: the board has the entry: %t, want %t", d, found, want)
					}
				}
			}
			b.done(t, days(monday, last.Add(1)))
			shown(false, monday, last.Add(1))
			must(t, b.queue.FlushDB(t.Context()).Err())
			b.done(t, tasks.SyncSchedule{Practice: "7", From: monday, To: monday, Lookback: furthest})
			shown(c.found, monday, monday)
			if !c.found {
				b.demands(t, b.of(monday)...)
				return
			}
			b.demands(t, append(b.of(monday), "sync schedule 7 "+tuesday.String()+".."+last.String(), "warm day-board 7 "+monday.String())...)
			for from := tuesday; from.Compare(last) <= 0; { // as the rest of each window is demanded
				b.done(t, days(from, last))
				from = from.Add(furthest + 1 - min(furthest, began.Days(from)))
			}
			reach := civil.Min(last, began.Add(furthest))
			shown(true, monday, reach)
			shown(false, reach.Add(1), last.Add(1))
		})
	}
}
