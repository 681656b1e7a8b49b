package work

import (
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

// Operators are alerted to values that cannot be read, until the vendor's rows have none. The day
// lacks no row.
func TestUnreadValuesAreAlerted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, odd := range []bool{true, false} {
		must(t, b.vendor.SetOdd())
		if odd {
			must(t, b.vendor.SetOdd(tebratest.OddLastModified))
		}
		b.done(t, days(monday, monday))
		alerts, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA})
		must(t, err)
		if odd && (len(alerts) != 1 || alerts[0].Code != codes.RowField || alerts[0].Day != monday || alerts[0].Rows != 1) || !odd && len(alerts) > 0 {
			t.Errorf("odd %t: alerts %+v", odd, alerts)
		}
		if board := b.board(t, monday).Board; len(board.Rows) != 10 || len(board.Incomplete) > 0 {
			t.Errorf("%d rows, incomplete %v", len(board.Rows), board.Incomplete)
		}
	}
}
