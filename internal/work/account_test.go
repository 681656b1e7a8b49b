package work

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestThrottles(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *tebratest.Config) {
		c.Throttles = tebratest.Throttles{Intervals: map[string]time.Duration{
			"GetPatient": 400 * time.Millisecond, "GetProviders": 0, "GetAllPatients": 2 * time.Minute, "GetThrottles": 0,
		}}
	})
	b.done(t, tasks.SyncThrottles{})
	documented := map[string]time.Duration{}
	for _, op := range tebra.Operations() {
		documented[op.Name] = op.Interval
	}
	want := maps.Clone(b.intervals)
	maps.Copy(want, map[string]time.Duration{"GetPatient": 400 * time.Millisecond, "GetAppointments": time.Second, "GetPatients": time.Second})
	if diff := cmp.Diff(want, b.intervals); diff != "" {
		t.Error(diff)
	}
	for name := range b.intervals {
		if _, ours := documented[name]; !ours || name == "GetProviders" || name == "GetAllPatients" {
			t.Errorf("the interval of %s was passed on", name)
		}
	}
}

func TestPractices(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, tasks.SyncPractices{})
	info, _, err := b.Store.Info(t.Context(), clinicA, "7")
	must(t, err)
	if info.Place.Name != "Seventh Practice" || !info.Place.Active {
		t.Errorf("the practice is %+v", info.Place)
	}
	b.line.answer = emptied("PracticeData")
	b.done(t, tasks.SyncPractices{})
	if info, _, err := b.Store.Info(t.Context(), clinicA, "7"); err != nil || info.Place.ID != "7" {
		t.Errorf("an empty answer erased the list: %+v, %v", info.Place, err)
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	was := b.board(t, monday).Board.Rows[0].Location
	b.line.answer = func(body string) string { return strings.ReplaceAll(body, ">"+was+"<", ">The New Annex<") }
	b.done(t, tasks.SyncLocations{Practice: "7"})
	r := b.board(t, monday)
	if was == "" || r.Board.Rows[0].Location != "The New Annex" {
		t.Errorf("the board shows %q, the visit %q", r.Board.Rows[0].Location, was)
	}
}
