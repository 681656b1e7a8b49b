package work

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
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

func TestEmptyOrPartialDirectoryErasesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := func() practice.Info {
		i, _, err := b.Store.Info(t.Context(), clinicA, "7")
		must(t, err)
		return i
	}
	both := func() {
		b.done(t, tasks.SyncDirectory{Practice: "7"})
		b.done(t, tasks.SyncLocations{Practice: "7"})
	}
	both()
	before := info()
	if len(before.Providers) == 0 || len(before.Locations) == 0 {
		t.Fatalf("%d providers and %d places", len(before.Providers), len(before.Locations))
	}
	b.line.answer = emptied("ProviderData", "ServiceLocationData")
	both()
	if d := cmp.Diff(before, info()); d != "" {
		t.Error(d)
	}
	b.line.answer = filled("ProviderData", "ServiceLocationData", "PracticeData")
	for _, args := range []tasks.Args{tasks.SyncDirectory{Practice: "7"}, tasks.SyncLocations{Practice: "7"}, tasks.SyncPractices{}} {
		want(t, b.run(t, args), tasks.OutcomeDead, "vendor_list_partial")
	}
	if d := cmp.Diff(before, info()); d != "" {
		t.Error("a partial list erased what it did not show:", d)
	}
}

// A row that cannot be read costs itself alone: the others take effect, and what is known of it
// stays.
func TestOddRowOfADirectory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	info := func() practice.Info {
		i, _, err := b.Store.Info(t.Context(), clinicA, "7")
		must(t, err)
		return i
	}
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.done(t, tasks.SyncLocations{Practice: "7"})
	before := info()
	odd := before.Providers[0].ID
	b.line.answer = func(body string) string {
		body = strings.ReplaceAll(body, ">"+before.Providers[1].Name+"<", ">Dr. Newly Named<")
		body = regexp.MustCompile(`(<\w*:?ID>)`+before.Locations[0].ID+`<`).ReplaceAllString(body, "${1}none<")
		return strings.ReplaceAll(body, "<ID>"+odd+"<", "<ID>none<")
	}
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.wantAlerts(t, codes.ProvidersUnreadable)
	after := info()
	if len(after.Providers) != len(before.Providers) || after.Providers[0] != before.Providers[0] || after.Providers[1].Name != "Dr. Newly Named" {
		t.Errorf("providers %+v, before %+v", after.Providers, before.Providers)
	}
	b.done(t, tasks.SyncLocations{Practice: "7"})
	if d := cmp.Diff(before.Locations, info().Locations); d != "" {
		t.Error("a place that cannot be read is gone:", d)
	}
	b.wantAlerts(t, codes.ProvidersUnreadable, codes.LocationsUnreadable)
	b.line.answer = emptied("ProviderData", "ServiceLocationData")
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.wantAlerts(t, codes.ProvidersUnreadable, codes.LocationsUnreadable) // an empty answer ends none
	b.line.answer = nil
	b.done(t, tasks.SyncDirectory{Practice: "7"})
	b.done(t, tasks.SyncLocations{Practice: "7"})
	b.wantAlerts(t)
}

// A list of which no row can be read is an alert, and nothing else changes.
func TestUnreadableListOfPractices(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) {
		c.Accounts[0].Practices = append(c.Accounts[0].Practices, tebratest.Practice{ID: 8, Name: "Eighth Practice", Zone: "America/Chicago", Patients: 1})
	})
	names := func() []string {
		list, err := b.Store.Practices(t.Context(), clinicA)
		must(t, err)
		var out []string
		for _, p := range list.Practices {
			out = append(out, p.Name)
		}
		return out
	}
	alerts := func() []ledger.Alert {
		all, err := b.Ledger.Alerts(t.Context(), ledger.AlertFilter{Tenant: clinicA})
		must(t, err)
		return all
	}
	unreadable := func(body, ids string) string {
		return regexp.MustCompile(`(<\w*:?ID>)[`+ids+`]<`).ReplaceAllString(body, "${1}none<")
	}
	b.line.answer = func(body string) string { return unreadable(body, "78") }
	b.done(t, tasks.SyncPractices{})
	if got := alerts(); len(got) != 1 || got[0].Code != codes.PracticesUnreadable || got[0].Rows != 2 || got[0].Practice != "" || names() != nil {
		t.Errorf("alerts %+v, practices %v", got, names())
	}
	b.line.answer = nil
	b.done(t, tasks.SyncPractices{})
	if len(alerts()) != 0 || len(names()) != 2 {
		t.Errorf("alerts %+v, practices %v", alerts(), names())
	}
	b.line.answer = func(body string) string {
		return unreadable(strings.Replace(body, "Eighth", "Ninth", 1), "7")
	}
	b.done(t, tasks.SyncPractices{})
	if got := alerts(); len(got) != 1 || got[0].Rows != 1 || !slices.Equal(names(), []string{"Seventh Practice", "Ninth Practice"}) {
		t.Errorf("alerts %+v, practices %v", got, names())
	}
}

// emptied removes all rows of these elements from an answer.
func emptied(elements ...string) func(string) string { return rewritten("", elements) }

// filled makes a list of these elements as long as the vendor's lists can be, all rows of one other
// record.
func filled(elements ...string) func(string) string {
	return rewritten(strings.Repeat("<${1}${2}><${1}ID>7777</${1}ID></${1}${2}>", 10_000), elements)
}

// rewritten replaces an answer's rows, whatever prefix its elements have.
func rewritten(rows string, elements []string) func(string) string {
	own := regexp.MustCompile(`(?s)<(\w*:?)(` + strings.Join(elements, "|") + `)>.*</\w*:?(` + strings.Join(elements, "|") + `)>`)
	return func(body string) string { return own.ReplaceAllString(body, rows) }
}
