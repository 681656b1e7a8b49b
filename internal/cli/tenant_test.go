package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func TestTenantList(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.applyTenant(t, config.Tenant{ID: "clinic-b", TimeZone: "Asia/Tokyo", Hours: map[string]string{"mon": "08:00-17:30"}})
	o := rounds(t, h.keyless(), "tenant", "list", "--json")
	d := document[struct {
		Tenants []tenantRow `json:"tenants"`
	}](t, o.stdout)
	if o.code != exitOK || len(d.Tenants) != 2 || d.Tenants[0].Tenant != "clinic-a" || len(d.Tenants[0].Practices) != 2 || d.Tenants[0].LocalTime == "" || !strings.HasSuffix(d.Tenants[1].LocalTime, "+09:00") {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), "tenant", "list"); !strings.Contains(o.stdout, "clinic-b") || !strings.Contains(o.stdout, "1, 2") {
		t.Errorf("%+v", o)
	}
}

func TestTenantShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.storeDataKey(t, h.keys)
	h.archive(t, h.fill(t, queue.Sync, 2, time.Hour, 0), "vendor_denied")
	if _, err := h.ledger.AddDue(t.Context(), []ledger.Tick{{Tenant: "clinic-a", Schedule: "board:1", At: time2026}}); err != nil {
		t.Fatal(err)
	}
	o := rounds(t, h.keyless(), "tenant", "show", "clinic-a", "--json")
	d := document[tenantDoc](t, o.stdout)
	if o.code != exitOK || d.Tenant != "clinic-a" || !d.Credentials || !d.DataKey || d.DeadLetters != 2 ||
		len(d.Schedules) != 1 || !d.Schedules[0].LastDue.Equal(time2026) || strings.Contains(o.stdout, "password") {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), "tenant", "show", "clinic-a"); !strings.Contains(o.stdout, "practice 1") || !strings.Contains(o.stdout, "rounds dead list --tenant clinic-a") {
		t.Errorf("%+v", o)
	}
	for name, want := range map[string]int{"clinic-z": exitNotFound, "Clinic A": exitUsage} {
		o := rounds(t, h.keyless(), "tenant", "show", name, "--json")
		if f := failed(t, o.stdout); o.code != want || f.Exit != want {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestAdoptedNameIsShownWithTheConfiguredOne(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.applyTenant(t, config.Tenant{ID: "clinic-b", TimeZone: "Asia/Tokyo", Practices: []config.Practice{{ID: "1", Name: "First"}}})
	if _, err := h.ledger.AdoptName(t.Context(), "clinic-b", "1", "First", "Lakeside"); err != nil {
		t.Fatal(err)
	}
	o := rounds(t, h.keyless(), "tenant", "show", "clinic-b", "--json")
	if d := document[tenantDoc](t, o.stdout); len(d.Practices) != 1 || d.Practices[0].Name != "Lakeside" || d.Practices[0].Configured != "First" {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), "tenant", "show", "clinic-b"); !strings.Contains(o.stdout, "Lakeside (First in the settings)") {
		t.Errorf("%+v", o)
	}
}

func TestPracticesHaveTheirOwnClocks(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.applyTenant(t, config.Tenant{ID: "clinic-b", TimeZone: "Asia/Tokyo", Practices: []config.Practice{
		{ID: "1", Name: "First"}, {ID: "2", Name: "Second", TimeZone: "Asia/Kathmandu"},
	}})
	o := rounds(t, h.keyless(), "tenant", "show", "clinic-b", "--json")
	d := document[tenantDoc](t, o.stdout)
	if len(d.Practices) != 2 || d.Practices[0].Zone != "Asia/Tokyo" || d.Practices[1].Zone != "Asia/Kathmandu" ||
		!strings.HasSuffix(d.LocalTime, "+09:00") || !strings.HasSuffix(d.Practices[1].LocalTime, "+05:45") {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), "tenant", "show", "clinic-b"); !strings.Contains(o.stdout, "+05:45 (Asia/Kathmandu), open") {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), "tenant", "list"); !strings.Contains(o.stdout, "1, 2 (Asia/Kathmandu)") {
		t.Errorf("%+v", o)
	}
}

func TestTenantIsOpen(t *testing.T) {
	t.Parallel()
	if row := readTenant(ledger.Tenant{ID: "clinic-a", TimeZone: "Nowhere/Atlantis"}, time2026); row.Open || row.LocalTime != "" {
		t.Errorf("unknown zone: %+v", row)
	}
	row := ledger.Tenant{ID: "clinic-a", TimeZone: "America/Chicago", Hours: ledger.Hours{"mon": "08:00-17:30"}}
	for at, want := range map[string]bool{
		"2026-03-02T07:59:00-06:00": false, "2026-03-02T08:00:00-06:00": true, "2026-03-02T17:29:00-06:00": true,
		"2026-03-02T17:30:00-06:00": false, "2026-03-03T09:00:00-06:00": false, "2026-03-02T23:00:00Z": true,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := readTenant(row, now).Open; got != want {
			t.Errorf("%s: open is %v", at, got)
		}
	}
}
