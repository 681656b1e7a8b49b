package work

import (
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

// dayAlerts counts the rows of the alerts about practice 7 that belong to days.
func (b *bundle) dayAlerts(t *testing.T) map[codes.Code]int {
	t.Helper()
	all, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA, Practice: "7"})
	must(t, err)
	out := map[codes.Code]int{}
	for _, a := range all {
		if !a.Day.IsZero() {
			out[a.Code] += a.Rows
		}
	}
	return out
}

// A row whose end cannot be read keeps no other visit on later days, makes the boards of all lists
// alike, and is alerted once.
func TestRowWithoutAnEndKeepsNothingElse(t *testing.T) {
	t.Parallel()
	noEnd := both(text("EndDate", "soon"), text("AppointmentDuration", ""))
	for name, tt := range map[string]struct {
		last int // of the days that are incomplete, counted from Monday
		code codes.Code
		row  func(*bundle) string
	}{
		"a visit": {0, codes.RowField, func(b *bundle) string { return b.visits(monday)[0].ID }},
		"a visit in the evening": {1, codes.RowOpenEnded, func(b *bundle) string {
			v := b.visits(monday)[0]
			must(t, b.clinic.Move(v.ID, b.at(0, 20)))
			return v.ID
		}},
		"a block": {minLookback, codes.RowOpenEnded, func(b *bundle) string { return b.block(0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := tt.row(b)
			lists := []tasks.SyncSchedule{today, ahead, night, today, ahead}
			for _, list := range lists {
				b.done(t, list)
			}
			b.spoil(id, noEnd)
			gone := b.visits(monday.Add(1))[0].ID
			must(t, b.clinic.Withdraw(gone, func(tebratest.Visit) bool { return true }))
			for i, list := range lists {
				b.done(t, list)
				for _, on := range civil.Range(list.From, list.To) {
					n := monday.Days(on)
					r := b.board(t, on)
					if shows(r, gone) || r.Stale {
						t.Errorf("%s: the deleted visit is shown: %t, stale %t", on, shows(r, gone), r.Stale)
					}
					if want := 0 < n && n <= tt.last; len(r.Board.Incomplete) > 0 != want {
						t.Errorf("list %d: %s is incomplete: %v", i, on, r.Board.Incomplete)
					}
				}
				if got := b.dayAlerts(t); len(got) != 1 || got[tt.code] != 1 {
					t.Errorf("list %d: alerts %v", i, got)
				}
			}
		})
	}
}
