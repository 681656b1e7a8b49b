package work

import (
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// Each oddity of rows leaves all readable visits on the board, and the board states how many rows
// it lacks.
func TestOddRowsCostThemselvesOnly(t *testing.T) {
	t.Parallel()
	for _, o := range tebratest.RowOddities() {
		t.Run(string(o), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			plain := b.visits(monday)
			must(t, b.vendor.SetOdd(o))
			odd := b.clinic.OddVisits(monday.In(b.clinic.Location()))
			b.done(t, days(monday, monday))
			r := b.board(t, monday)
			for _, v := range plain {
				at := slices.IndexFunc(r.Board.Rows, func(row practice.BoardRow) bool { return row.Appointment.Reveal() == v.ID })
				unreadable := len(odd[v.ID]) > 0 && o.Unreadable()
				switch {
				case unreadable != (at < 0):
					t.Errorf("a visit with oddities %v is on the board: %t", odd[v.ID], at >= 0)
				case at >= 0 && !r.Board.Rows[at].Start.Equal(v.Start):
					t.Errorf("a visit with oddities %v starts at %v, want %v", odd[v.ID], r.Board.Rows[at].Start, v.Start)
				}
			}
			counted := 0
			for _, omitted := range r.Board.Incomplete {
				counted += omitted.Rows
			}
			if len(odd) == 0 || o.Unreadable() != (counted > 0) {
				t.Errorf("%d odd visits, and the board lacks %v", len(odd), r.Board.Incomplete)
			}
		})
	}
}
