package work

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/practice"
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

func TestAnEmptyDirectoryErasesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	house := func() practice.House {
		r, err := b.Store.House(t.Context(), clinicA, "7")
		must(t, err)
		return r.House
	}
	both := func() {
		b.done(t, tasks.SyncDirectory{Practice: "7"})
		b.done(t, tasks.SyncLocations{Practice: "7"})
	}
	both()
	before := house()
	if len(before.Providers) == 0 || len(before.Locations) == 0 {
		t.Fatalf("%d providers and %d places", len(before.Providers), len(before.Locations))
	}
	b.line.answer = emptied("ProviderData", "ServiceLocationData")
	both()
	if d := cmp.Diff(before, house()); d != "" {
		t.Error(d)
	}
}

// emptied takes all rows of these elements out of an answer.
func emptied(elements ...string) func(string) string {
	return func(body string) string {
		for _, e := range elements {
			body = regexp.MustCompile(`(?s)<`+e+`>.*</`+e+`>`).ReplaceAllString(body, "")
		}
		return body
	}
}
