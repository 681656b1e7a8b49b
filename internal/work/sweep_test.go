package work

import (
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/tasks"
)

// A full page without the key of the next one is not the last page for that alone: it is requested
// again with one row less.
func TestFullPageWithoutNextKey(t *testing.T) {
	t.Parallel()
	smaller := tasks.SweepPatients{Practice: "7", Rows: 999}
	of := func(patients int) *bundle {
		return setup(t, func(c *tebratest.Config) { c.Accounts[0].Practices[0].Patients = patients })
	}
	t.Run("the vendor never sends it", func(t *testing.T) {
		t.Parallel()
		b := of(1001)
		must(t, b.vendor.SetOdd(tebratest.OddNoNextKey))
		b.done(t, tasks.SweepPatients{Practice: "7"})
		b.demands(t, `sync sweep 7 from "" since "", 999 rows`)
		b.wantAlerts(t)
		b.done(t, smaller)
		b.done(t, smaller) // as after a crash
		b.demands(t)
		b.wantAlerts(t, codes.PatientsCut)
		if people := b.clinic.Patients(); !b.mark(t).IsZero() || b.toFetch(t, people[999].ID) || !b.toFetch(t, people[1000].ID) {
			t.Errorf("after a sweep that is not complete the watermark is %q", b.mark(t))
		}
		must(t, b.vendor.SetOdd())
		last := b.clinic.Patients()[1000].ID
		b.done(t, tasks.SweepPatients{Practice: "7"})
		b.done(t, tasks.SweepPatients{Practice: "7", Page: tasks.EntityID(last), Begun: monday})
		b.wantAlerts(t)
		if b.mark(t) != monday.Add(-1) {
			t.Errorf("after a complete sweep the watermark is %q", b.mark(t))
		}
	})
	t.Run("the vendor omits it once", func(t *testing.T) {
		t.Parallel()
		b := of(1001)
		must(t, b.vendor.SetOdd(tebratest.OddNoNextKey))
		b.done(t, tasks.SweepPatients{Practice: "7"})
		must(t, b.vendor.SetOdd())
		b.demands(t, `sync sweep 7 from "" since "", 999 rows`)
		b.done(t, smaller)
		if !strings.Contains(b.line.sent, "BatchSize>999<") {
			t.Error("the request names the same size")
		}
		b.demands(t, `sync sweep 7 from "`+b.clinic.Patients()[999].ID+`" since "2026-03-02"`)
	})
	t.Run("there are no more", func(t *testing.T) {
		t.Parallel()
		b := of(1000)
		b.done(t, tasks.SweepPatients{Practice: "7"})
		b.demands(t, `sync sweep 7 from "" since "", 999 rows`)
		b.done(t, smaller)
		last := b.clinic.Patients()[999].ID
		b.demands(t, `sync sweep 7 from "`+last+`" since "2026-03-02"`)
		b.done(t, tasks.SweepPatients{Practice: "7", Page: tasks.EntityID(last), Begun: monday})
		b.demands(t)
		b.wantAlerts(t)
		if b.mark(t) != monday.Add(-1) {
			t.Errorf("after the last page the watermark is %q", b.mark(t))
		}
	})
}
