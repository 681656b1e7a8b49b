package ledger

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
)

func TestAdoptedNameOutlivesTheSettings(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		settings := clinic("clinic-a")
		settings.Practices = []Practice{{ID: "7", Name: "Lakeside"}}
		restart := func(name string, changed int) {
			t.Helper()
			settings.Practices[0].Name = name
			equal(t, "changed", must[int](t)(l.ApplyTenants(t.Context(), []Tenant{settings})), changed)
		}
		known := func(name, configured string) {
			t.Helper()
			equal(t, "practices", must[Tenant](t)(l.Tenant(t.Context(), "clinic-a")).Practices, []Practice{{ID: "7", Name: name, TimeZone: settings.Practices[0].TimeZone, Configured: configured}})
		}
		adopt := func(before, name string, want bool) {
			t.Helper()
			if got := must[bool](t)(l.AdoptName(t.Context(), "clinic-a", "7", before, name)); got != want {
				t.Errorf("%s becomes %s: %v", before, name, got)
			}
		}
		restart("Lakeside", 1)
		known("Lakeside", "")
		adopt("Lakeside", "Lakeside Pediatrics", true)
		known("Lakeside Pediatrics", "Lakeside")
		restart("Lakeside", 0)
		known("Lakeside Pediatrics", "Lakeside")
		adopt("Lakeside", "Lake Clinic", false) // decided before another worker adopted a name
		adopt("Lakeside Pediatrics", "Lakeside Pediatrics", false)
		adopt("Lakeside Pediatrics", "Lake Clinic", true)
		known("Lake Clinic", "Lakeside")
		setAlerts(t, l, AlertScope{Tenant: "clinic-a", Practice: "7"}, noon, alert(civil.Date{}, codes.PracticeRenamed, 0, noon))
		settings.Practices[0].TimeZone = "America/Denver"
		restart("Lakeside", 1)
		known("Lake Clinic", "Lakeside")
		equal(t, "alerts", len(alerts(t, l, AlertFilter{})), 1)
		restart("Lake Clinic", 1)
		known("Lake Clinic", "")
		equal(t, "alerts after the name was corrected", len(alerts(t, l, AlertFilter{})), 0)
		restart("Lakside", 1) // mistyped
		adopt("Lakside", "Lakeside", true)
		known("Lakeside", "Lakside")
		adopt("Lakeside", "Lakside", true) // the vendor has the name of the settings again
		known("Lakside", "")
	})
}

func TestConcurrentAdoptions(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{clinic("clinic-a")}))
		adopted := make([]bool, 8)
		var all errgroup.Group
		for n := range adopted {
			all.Go(func() (err error) {
				adopted[n], err = l.AdoptName(t.Context(), "clinic-a", "10", "Nord", "Ost")
				return err
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		times := 0
		for _, yes := range adopted {
			if yes {
				times++
			}
		}
		equal(t, "adoptions", times, 1)
	})
}

func TestAdoptNameErrors(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{clinic("clinic-a")}))
		for _, name := range []string{"", secret + "\x00", secret + "\xff", strings.Repeat(secret, maxCode)} {
			_, err := l.AdoptName(t.Context(), "clinic-a", "10", "Nord", name)
			if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) {
				t.Errorf("name %q: %v", name, err)
			}
		}
		if _, err := l.AdoptName(t.Context(), "No Tenant", "10", "Nord", "Ost"); !errors.Is(err, ErrInvalid) {
			t.Errorf("tenant: %v", err)
		}
		if got := must[bool](t)(l.AdoptName(t.Context(), "clinic-a", "11", "Nord", "Ost")); got {
			t.Error("a practice that the tenant does not have was renamed")
		}
	})
}
