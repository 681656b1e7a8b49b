package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func newBudget(e *env) *cobra.Command {
	return e.group("budget", "Show the budgets of vendor calls", newBudgetList(e), newBudgetShow(e), newBudgetSimulate(e))
}

const maxBudgets = 10_000

func newBudgetList(e *env) *cobra.Command {
	var owner string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the budgets of vendor calls",
		Long: `List how often each tenant's account may call each operation of the vendor, for operations that were called within a week.
SPACING is the time between two calls: the vendor's interval and our margin. USED is the share of the last minute's and hour's
calls that were made. BOOKED is how far ahead background tasks have places. Blocked operations come first, then those that are
booked furthest ahead.`,
		Example: "  rounds budget list\n  rounds budget list --tenant clinic-a --json",
		Args:    names(),
		PreRunE: within("--limit", &limit, maxBudgets),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if owner != "" {
				if _, err := parseTenant(owner); err != nil {
					return err
				}
			}
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.listBudgets(cmd.Context(), s, owner, limit)
			})
		},
	}
	e.tenantFlag(cmd, &owner, "only this tenant's")
	cmd.Flags().IntVar(&limit, "limit", 200, "maximum number")
	return cmd
}

// budgetsDoc is the result of budget list.
type budgetsDoc struct {
	At      time.Time   `json:"at"`
	Budgets []budgetDoc `json:"budgets"`
	Total   int         `json:"total"` // without --limit
}

// budgetDoc is how often an account may call one operation.
type budgetDoc struct {
	Tenant          tenant.ID `json:"tenant"`
	Operation       string    `json:"operation"`
	IntervalSeconds float64   `json:"interval_seconds"`       // that the vendor requires
	MarginSeconds   float64   `json:"margin_seconds"`         // on top of it
	SpacingSeconds  float64   `json:"spacing_seconds"`        // between two calls: interval and margin
	NextAt          time.Time `json:"next_at,omitzero"`       // when the next call may be sent; absent: now
	BlockedUntil    time.Time `json:"blocked_until,omitzero"` // absent: not blocked
	BookedUntil     time.Time `json:"booked_until,omitzero"`  // the last place that a background task has; absent: none
	BookedSeconds   float64   `json:"booked_seconds"`         // how far ahead that is
	UsedMinute      float64   `json:"used_minute"`            // share of the last minute's budget that was used, about
	UsedHour        float64   `json:"used_hour"`              // of the last hour's
	Retries         float64   `json:"retries"`                // that may be made at once; negative: so many are reserved
	RetriesDelayed  float64   `json:"retries_delayed"`        // in the last hour, about
}

func readBudget(b budget.State, u flow.Usage, now time.Time) budgetDoc {
	d := budgetDoc{
		Tenant: b.Tenant, Operation: b.Operation, IntervalSeconds: b.Interval.Seconds(), MarginSeconds: b.Margin.Seconds(),
		SpacingSeconds: b.Spacing.Seconds(), BookedSeconds: b.Backlog.Seconds(),
	}
	d.UsedMinute, d.UsedHour = u.Shares(b.Spacing)
	d.Retries, d.RetriesDelayed = u.Retries, u.Delayed
	d.NextAt, d.BlockedUntil, d.BookedUntil = after(now, b.Next), after(now, b.Blocked), after(now, b.Backlog)
	return d
}

// after returns the time d after now, or zero if d is.
func after(now time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d).UTC()
}

func (e *env) listBudgets(ctx context.Context, s *stores, owner string, limit int) error {
	f, err := flow.New(flow.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	ids, err := s.tenants(ctx, owner)
	if err != nil {
		return err
	}
	found, err := f.Budgets(ctx, ids...)
	if err != nil {
		return err
	}
	now, listed := time.Now(), found[:min(len(found), limit)]
	usages, err := f.Usages(ctx, listed...)
	if err != nil {
		return err
	}
	doc := budgetsDoc{At: now.UTC(), Total: len(found), Budgets: make([]budgetDoc, 0, len(listed))}
	for i, b := range listed {
		doc.Budgets = append(doc.Budgets, readBudget(b, usages[i], now))
	}
	return e.answer(doc, doc.write)
}

// tenants returns the named tenant, or all of the ledger if name is empty.
func (s *stores) tenants(ctx context.Context, name string) ([]tenant.ID, error) {
	if name != "" {
		t, err := findTenant(ctx, s.ledger, name)
		return []tenant.ID{t.ID}, err
	}
	all, err := s.ledger.Tenants(ctx)
	ids := make([]tenant.ID, len(all))
	for i, t := range all {
		ids[i] = t.ID
	}
	return ids, err
}

func (d budgetsDoc) write(w io.Writer) {
	if d.Total == 0 {
		_, _ = fmt.Fprintln(w, "no call within a week")
		return
	}
	table(w, []string{"TENANT", "OPERATION", "INTERVAL", "MARGIN", "SPACING", "USED 1M", "USED 1H", "NEXT", "BLOCKED", "BOOKED"}, d.Budgets,
		func(b budgetDoc) []string {
			return []string{
				b.Tenant.String(), b.Operation, inSeconds(b.IntervalSeconds), inSeconds(b.MarginSeconds), inSeconds(b.SpacingSeconds),
				percent(b.UsedMinute), percent(b.UsedHour), cmp.Or(until(b.NextAt, d.At), "now"), cmp.Or(until(b.BlockedUntil, d.At), "-"), cmp.Or(until(b.BookedUntil, d.At), "-"),
			}
		})
	if more := d.Total - len(d.Budgets); more > 0 {
		_, _ = fmt.Fprintf(w, "%d more; see --limit\n", more)
	}
}

func percent(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) }

// inSeconds formats a number of seconds as a duration.
func inSeconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
}

// until formats the time from now to t, or "" if t is zero.
func until(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return inSeconds(t.Sub(now).Seconds())
}

// findOperation returns the operation of the vendor with this name.
func findOperation(name string) (tebra.Operation, error) {
	for _, op := range tebra.Operations() {
		if op.Name == name {
			return op, nil
		}
	}
	f := usage("unknown operation")
	f.Try = []string{"rounds budget list"}
	return tebra.Operation{}, f
}
