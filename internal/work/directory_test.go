package work

import (
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	v := b.visits(monday)[0]
	b.line.answer = func(body string) string { return strings.ReplaceAll(body, ">"+v.Provider+"<", ">Dr. Newly Named<") }
	b.board(t, monday)
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	for _, row := range b.board(t, monday).Board.Rows {
		if row.Appointment.Reveal() == v.ID && row.Provider != "Dr. Newly Named" {
			t.Errorf("the board names %q", row.Provider)
		}
	}
	b.vendor.SetFaults(tebratest.Faults{Outage: true})
	want(t, b.run(t, tasks.SyncDirectory{Practice: "7"}), tasks.OutcomeLater, "vendor_unavailable")
}
