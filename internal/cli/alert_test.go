package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

func TestAlertList(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	empty := rounds(t, h.keyless(), "alert", "list")
	if empty.code != exitOK || !strings.Contains(empty.stdout, "no alert") {
		t.Errorf("%+v", empty)
	}
	day, err := civil.ParseDate("2026-03-02")
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range []ledger.Alert{{Code: codes.PracticeNotListed}, {Day: day, Code: codes.RowUndated, Rows: 3}} {
		scope := ledger.AlertScope{Tenant: "clinic-a", Practice: "7", From: found.Day, To: found.Day}
		if _, err := h.ledger.SetAlerts(t.Context(), scope, []ledger.Alert{found}, time2026); err != nil {
			t.Fatal(err)
		}
	}
	o := rounds(t, h.keyless(), "alert", "list", "--json")
	d := document[alertListDoc](t, o.stdout)
	if o.code != exitOK || len(d.Alerts) != 2 || len(d.Totals) != 2 {
		t.Fatalf("%+v", o)
	}
	first, second := d.Alerts[0], d.Alerts[1]
	if first.Code != codes.PracticeNotListed || first.Tenant != "clinic-a" || first.Practice != "7" || first.Means == "" || !first.Since.Equal(time2026.Truncate(time.Microsecond)) || strings.Contains(o.stdout, `"day": ""`) {
		t.Errorf("%+v in %s", first, o.stdout)
	}
	if second.Day != day || second.Rows != 3 || d.Totals[1].Alerts != 1 || d.Totals[1].Rows != 3 {
		t.Errorf("%+v, %+v", second, d.Totals)
	}
	text := rounds(t, h.keyless(), "alert", "list")
	for _, want := range []string{"2026-03-02", "row_undated", "1 of practice_not_listed: the vendor lists no practice with this number"} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("%q is missing in %s", want, text.stdout)
		}
	}
	for _, c := range []struct {
		args         []string
		want, totals int
	}{
		{[]string{"--tenant", "clinic-b"}, 0, 0},
		{[]string{"--tenant", "clinic-a", "--practice", "7", "--code", "row_undated"}, 1, 1},
		{[]string{"--practice", "8"}, 0, 0},
		{[]string{"--limit", "1"}, 1, 2},
	} {
		o := rounds(t, h.keyless(), append([]string{"alert", "list", "--json"}, c.args...)...)
		d := document[alertListDoc](t, o.stdout)
		if len(d.Alerts) != c.want || len(d.Totals) != c.totals {
			t.Errorf("%v: %d alerts and %d totals, want %d and %d", c.args, len(d.Alerts), len(d.Totals), c.want, c.totals)
		}
		text := rounds(t, h.keyless(), append([]string{"alert", "list"}, c.args...)...).stdout
		if (text == "no alert\n") != (c.want == 0) {
			t.Errorf("%v: %s", c.args, text)
		}
	}
	for _, args := range [][]string{{"--limit", "501"}, {"--tenant", "No Tenant"}, {"--code", "\x00"}} {
		if o := rounds(t, h.keyless(), append([]string{"alert", "list"}, args...)...); o.code != exitUsage {
			t.Errorf("%q: %+v", args, o)
		}
	}
}
