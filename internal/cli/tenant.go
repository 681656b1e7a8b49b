package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
)

func newTenant(e *env) *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the tenants of the ledger",
		Long:    "List the tenants of the ledger: their time zones and practices, and whether they are open. Credentials stay sealed.",
		Example: "  rounds tenant list --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error { return e.listTenants(cmd.Context(), s) })
		},
	}
	show := &cobra.Command{
		Use:   "show TENANT",
		Short: "Show a tenant of the ledger",
		Long: `Show a tenant of the ledger: practices, opening hours, when each schedule was last due, open dead letters, and whether it
has credentials and a data key. Both stay sealed.`,
		Example: "  rounds tenant show clinic-a",
		Args:    names("TENANT"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return e.completeTenant(cmd, args, prefix)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parseTenant(args[0]); err != nil {
				return misused(cmd, "TENANT must be 1 to 40 of a-z, 0-9 and '-'")
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error { return e.showTenant(cmd.Context(), s, args[0]) })
		},
	}
	return e.group("tenant", "Show tenants", list, show)
}

// parseTenant converts a --tenant flag.
func parseTenant(s string) (tenant.ID, error) {
	if s == "" {
		return "", usage("--tenant is missing")
	}
	id, err := tenant.Parse(s)
	if err != nil {
		return "", usage("--tenant must be 1 to 40 of a-z, 0-9 and '-'")
	}
	return id, nil
}

// findTenant returns the tenant with the name from a --tenant flag.
func findTenant(ctx context.Context, l *ledger.Ledger, name string) (ledger.Tenant, error) {
	id, err := parseTenant(name)
	if err != nil {
		return ledger.Tenant{}, err
	}
	t, err := l.Tenant(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return ledger.Tenant{}, unknownTenant(id, err)
	}
	return t, err
}

func unknownTenant(id tenant.ID, cause error) *failure {
	return &failure{
		Exit: exitNotFound, Code: "TENANT_NOT_FOUND", What: "there is no tenant " + id.String(), cause: cause,
		Means: "it is not in the ledger",
		Try:   []string{"add it to the file in ROUNDS_TENANTS and restart the scheduler"},
	}
}

// tenantRow is one tenant of tenant list. Its clock is that of practices without their own zone.
type tenantRow struct {
	Tenant string `json:"tenant"`
	clock
	Practices []practiceDoc `json:"practices"`
}

type practiceDoc struct {
	ID   string `json:"id"`
	Name string `json:"name"` // at the vendor, by which its lists are requested
	// Configured is the name in the tenant's settings, if the vendor has another one.
	Configured string `json:"configured,omitempty"`
	clock
}

// clock is the present time in a time zone.
type clock struct {
	Zone      string `json:"zone"`
	LocalTime string `json:"local_time"` // RFC 3339; empty if the zone is unknown on this host
	Open      bool   `json:"open"`       // now, by the opening hours
}

func readTenant(t ledger.Tenant, now time.Time) tenantRow {
	row := tenantRow{Tenant: t.ID.String(), clock: readClock(t.TimeZone, t.Hours, now), Practices: make([]practiceDoc, 0, len(t.Practices))}
	for _, p := range t.Practices {
		row.Practices = append(row.Practices, practiceDoc{ID: p.ID, Name: p.Name, Configured: p.Configured, clock: readClock(t.ZoneOf(p), t.Hours, now)})
	}
	return row
}

func readClock(name string, hours ledger.Hours, now time.Time) clock {
	c := clock{Zone: name}
	if there, err := zone.Load(name); err == nil {
		local := now.In(there)
		c.LocalTime, c.Open = local.Format(time.RFC3339), plan.IsOpen(hours, local)
	}
	return c
}

func (e *env) listTenants(ctx context.Context, s *stores) error {
	all, err := s.ledger.Tenants(ctx)
	if err != nil {
		return err
	}
	doc := struct {
		Tenants []tenantRow `json:"tenants"`
	}{make([]tenantRow, 0, len(all))}
	now := time.Now()
	for _, t := range all {
		doc.Tenants = append(doc.Tenants, readTenant(t, now))
	}
	return e.answer(doc, func(w io.Writer) {
		table(w, []string{"TENANT", "ZONE", "LOCAL TIME", "NOW", "PRACTICES"}, doc.Tenants, func(t tenantRow) []string {
			ids := make([]string, 0, len(t.Practices))
			for _, p := range t.Practices {
				id := p.ID
				if p.Zone != t.Zone {
					id += " (" + p.Zone + ")"
				}
				ids = append(ids, id)
			}
			return []string{t.Tenant, t.Zone, cmp.Or(t.LocalTime, unknown), t.openness(), strings.Join(ids, ", ")}
		})
	})
}

func (c clock) openness() string {
	if c.Open {
		return "open"
	}
	return "closed"
}

// tenantDoc is the result of tenant show.
type tenantDoc struct {
	tenantRow
	Weight      int               `json:"weight"` // its share of the workers, relative to the others
	Hours       map[string]string `json:"opening_hours"`
	Credentials bool              `json:"credentials"` // it has sealed credentials
	DataKey     bool              `json:"data_key"`    // created when its cache is first used
	Schedules   []scheduleDoc     `json:"schedules"`
	DeadLetters int               `json:"dead_letters"` // open, at most 500
}

type scheduleDoc struct {
	Schedule string    `json:"schedule"`
	LastDue  time.Time `json:"last_due"`
}

func (e *env) showTenant(ctx context.Context, s *stores, name string) error {
	t, err := findTenant(ctx, s.ledger, name)
	if err != nil {
		return err
	}
	doc := tenantDoc{
		tenantRow: readTenant(t, time.Now()), Weight: t.Weight, Hours: map[string]string{}, Credentials: len(t.Credentials) > 0, Schedules: []scheduleDoc{},
	}
	maps.Copy(doc.Hours, t.Hours)
	_, err = s.ledger.StoredDataKey(ctx, t.ID)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	doc.DataKey = err == nil
	last, err := s.ledger.LastTicks(ctx, t.ID, time.Now())
	if err != nil {
		return err
	}
	for _, schedule := range slices.Sorted(maps.Keys(last)) {
		doc.Schedules = append(doc.Schedules, scheduleDoc{Schedule: schedule, LastDue: last[schedule]})
	}
	open, err := s.ledger.DeadLetters(ctx, ledger.Filter{Tenant: t.ID, State: ledger.StateOpen, Limit: maxDeadLetters})
	if err != nil {
		return err
	}
	doc.DeadLetters = len(open)
	return e.answer(doc, doc.write)
}

func (d tenantDoc) write(w io.Writer) {
	var out details
	presence := map[bool]string{true: "present, sealed", false: "missing"}
	out.add("tenant", d.Tenant)
	out.add("time", fmt.Sprintf("%s (%s), %s", cmp.Or(d.LocalTime, unknown), d.Zone, d.openness()))
	for _, p := range d.Practices {
		name := p.Name
		if p.Configured != "" {
			name += " (" + p.Configured + " in the settings)"
		}
		out.add("practice "+p.ID, name)
		if p.Zone != d.Zone {
			out.add("its time", fmt.Sprintf("%s (%s), %s", cmp.Or(p.LocalTime, unknown), p.Zone, p.openness()))
		}
	}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		if hours, ok := d.Hours[day]; ok {
			out.add(day, hours)
		}
	}
	out.add("weight", strconv.Itoa(d.Weight))
	out.add("credentials", presence[d.Credentials])
	out.add("data key", presence[d.DataKey])
	now := time.Now()
	for _, s := range d.Schedules {
		out.add(s.Schedule, "last due "+diagnose.Ago(s.LastDue, now))
	}
	out.add("dead letters", fmt.Sprintf("%d open", d.DeadLetters))
	out.write(w)
	if d.DeadLetters > 0 {
		_, _ = fmt.Fprintf(w, "see rounds dead list --tenant %s\n", d.Tenant)
	}
}
