package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

func clinic(id tenant.ID) Tenant {
	return Tenant{
		ID:          id,
		TimeZone:    "America/Chicago",
		Hours:       Hours{"mon": "08:00-17:30", "sat": "09:00-12:00"},
		Credentials: []byte{0, 1, 2, 0xff},
		Practices:   []Practice{{ID: "10", Name: "Nord"}, {ID: "7", Name: "Süd \"7\""}},
		Weight:      1,
	}
}

func TestApplyTenantsStoresTenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		bare := Tenant{ID: "b", TimeZone: "UTC", Weight: 1}
		given := []Tenant{clinic("clinic-b"), bare, clinic("clinic-a")}
		equal(t, "changed", must[int](t)(l.ApplyTenants(t.Context(), given)), 3)
		equal(t, "all", must[[]Tenant](t)(l.Tenants(t.Context())), []Tenant{bare, clinic("clinic-a"), clinic("clinic-b")})
		equal(t, "one", must[Tenant](t)(l.Tenant(t.Context(), "clinic-a")), clinic("clinic-a"))
		equal(t, "order of the argument", given[0].ID, tenant.ID("clinic-b"))
	})
}

func TestApplyTenantsCountsChanges(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		now, other := clinic("clinic-a"), clinic("clinic-z")
		must[int](t)(l.ApplyTenants(t.Context(), []Tenant{other}))
		for _, step := range []struct {
			name   string
			change func(*Tenant)
			want   int
		}{
			{"new", func(*Tenant) {}, 1},
			{"same", func(*Tenant) {}, 0},
			{"zone", func(c *Tenant) { c.TimeZone = "UTC" }, 1},
			{"hours", func(c *Tenant) { c.Hours = Hours{"tue": "08:00-24:00"} }, 1},
			{"no hours", func(c *Tenant) { c.Hours = nil }, 1},
			{"empty hours are no hours", func(c *Tenant) { c.Hours = Hours{} }, 0},
			{"weight", func(c *Tenant) { c.Weight = 100 }, 1},
			{"the same weight", func(*Tenant) {}, 0},
			{"credentials", func(c *Tenant) { c.Credentials = []byte{9} }, 1},
			{"practice renamed", func(c *Tenant) { c.Practices[0].Name = "Ost" }, 1},
			{"practice in a zone of its own", func(c *Tenant) { c.Practices[1].TimeZone = "America/Denver" }, 1},
			{"the same zone", func(*Tenant) {}, 0},
			{"another zone", func(c *Tenant) { c.Practices[1].TimeZone = "UTC" }, 1},
			{"the tenant's zone again", func(c *Tenant) { c.Practices[1].TimeZone = "" }, 1},
			{"practices in another order", func(c *Tenant) { slices.Reverse(c.Practices) }, 0},
			{"practice added", func(c *Tenant) { c.Practices = append(c.Practices, Practice{ID: "8", Name: "West"}) }, 1},
			{"practice removed", func(c *Tenant) { c.Practices = c.Practices[:1] }, 1},
			{"no practice", func(c *Tenant) { c.Practices = nil }, 1},
			{"still the same", func(*Tenant) {}, 0},
		} {
			step.change(&now)
			changed, err := l.ApplyTenants(t.Context(), []Tenant{now, other})
			equal(t, step.name, []any{changed, err}, []any{step.want, nil})
			want := now
			want.Practices = slices.Clone(now.Practices)
			slices.SortFunc(want.Practices, func(a, b Practice) int { return strings.Compare(a.ID, b.ID) })
			if len(want.Hours) == 0 {
				want.Hours = nil // empty hours are read as nil
			}
			equal(t, step.name, must[Tenant](t)(l.Tenant(t.Context(), "clinic-a")), want)
		}
	})
}

func TestApplyTenantsDoesNotWriteUnchangedRows(t *testing.T) {
	t.Parallel()
	l := migrated(t, Postgres)
	versions := func() string {
		var v string
		row := l.db.QueryRowContext(t.Context(), `SELECT string_agg(ctid::text, ' ') FROM
			(SELECT ctid FROM tenants UNION ALL SELECT ctid FROM practices) r`)
		if err := row.Scan(&v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	given := []Tenant{clinic("clinic-a"), clinic("clinic-b")}
	must[int](t)(l.ApplyTenants(t.Context(), given))
	before := versions()
	must[int](t)(l.ApplyTenants(t.Context(), given))
	equal(t, "row versions", versions(), before)
}

func TestApplyTenantsKeepsMissingTenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		apply(t, l, "clinic-a", "clinic-b")
		key := must[[]byte](t)(l.DataKey(t.Context(), "clinic-a", func() ([]byte, error) { return []byte("wrapped"), nil }))
		equal(t, "changed", must[int](t)(l.ApplyTenants(t.Context(), nil)), 0)
		apply(t, l, "clinic-b")
		equal(t, "tenants", len(must[[]Tenant](t)(l.Tenants(t.Context()))), 2)
		equal(t, "key", must[[]byte](t)(l.DataKey(t.Context(), "clinic-a", nil)), key)
	})
}

// Every process applies the file when it starts. Together they must count each change once, without
// a deadlock.
func TestConcurrentApplyTenants(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		var given []Tenant
		for n := range 20 {
			given = append(given, clinic(tenant.ID(fmt.Sprintf("clinic-%d", n))))
		}
		changed := concurrently(t, given, func(own []Tenant) (int, error) { return l.ApplyTenants(t.Context(), own) })
		equal(t, "changes in all", changed, len(given))
		equal(t, "tenants", len(must[[]Tenant](t)(l.Tenants(t.Context()))), len(given))
	})
}

func TestApplyTenantsNamesEveryProblemAndWritesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		broken := func(id tenant.ID, change func(*Tenant)) Tenant {
			c := clinic(id)
			change(&c)
			return c
		}
		many := make([]Practice, maxPractices+1)
		_, err := l.ApplyTenants(t.Context(), []Tenant{
			clinic("good"),
			clinic("Bad Id"),
			clinic("good"),
			broken("no-zone", func(c *Tenant) { c.TimeZone = "" }),
			broken("local-zone", func(c *Tenant) { c.TimeZone = "Local" }),
			broken("moon-zone", func(c *Tenant) { c.TimeZone = "Moon/" + secret }),
			broken("day", func(c *Tenant) { c.Hours = Hours{secret: "08:00-09:00"} }),
			broken("hours", func(c *Tenant) { c.Hours = Hours{"mon": secret} }),
			broken("big", func(c *Tenant) { c.Credentials = make([]byte, maxCredentials+1) }),
			broken("many", func(c *Tenant) { c.Practices = many }),
			broken("unnamed", func(c *Tenant) { c.Practices[0].ID = "" }),
			broken("practice-zone", func(c *Tenant) { c.Practices[0].TimeZone = "Moon/" + secret }),
			broken("binary", func(c *Tenant) { c.Practices[0].Name = secret + "\x00" }),
			broken("utf8", func(c *Tenant) { c.Practices[0].Name = secret + "\xff" }),
			broken("twice", func(c *Tenant) { c.Practices[0].ID = c.Practices[1].ID }),
		})
		if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "Bad Id") {
			t.Fatalf("ApplyTenants = %v", err)
		}
		for _, want := range []string{
			"tenant number 2: ", "tenant good: invalid: listed twice", "tenant no-zone: ", "tenant local-zone: ", "tenant moon-zone: ",
			"tenant day: ", "tenant hours: invalid: opening hours of mon", "tenant big: ", "tenant many: ", "tenant unnamed: ",
			"tenant binary: ", "tenant utf8: ", "tenant twice: ",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in:\n%v", want, err)
			}
		}
		equal(t, "tenants", len(must[[]Tenant](t)(l.Tenants(t.Context()))), 0)
		if _, err := l.ApplyTenants(t.Context(), make([]Tenant, maxTenants+1)); !errors.Is(err, ErrInvalid) {
			t.Errorf("too many tenants: %v", err)
		}
	})
}

func TestUnknownTenant(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		if _, err := l.Tenant(t.Context(), "clinic-a"); !errors.Is(err, ErrNotFound) {
			t.Errorf("unknown tenant: %v", err)
		}
		if _, err := l.Tenant(t.Context(), ""); !errors.Is(err, ErrInvalid) {
			t.Errorf("empty tenant: %v", err)
		}
		equal(t, "all", must[[]Tenant](t)(l.Tenants(t.Context())), []Tenant(nil))
	})
}
