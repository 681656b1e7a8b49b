package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/flow"
)

func newBudgetShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show TENANT OPERATION",
		Short: "Show the budget of one operation, and why its calls wait",
		Long: `Show how often a tenant's account may call one operation of the vendor, the breakers that concern it, why its calls wait
and what to do about it. A breaker stops calls after failures of the vendor.`,
		Example:           "  rounds budget show clinic-a GetAppointments",
		Args:              names("TENANT", "OPERATION"),
		ValidArgsFunction: e.completeOperation,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parseTenant(args[0]); err != nil {
				return misused(cmd, "TENANT must be 1 to 40 of a-z, 0-9 and '-'")
			}
			op, err := findOperation(args[1])
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.showBudget(cmd.Context(), s, args[0], op)
			})
		},
	}
}

// completeOperation completes a tenant, and then an operation of the vendor.
func (e *env) completeOperation(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var out []string
	switch len(args) {
	case 0:
		return e.completeTenant(cmd, args, prefix)
	case 1:
		for _, op := range tebra.Operations() {
			if strings.HasPrefix(op.Name, prefix) {
				out = append(out, op.Name)
			}
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// budgetShowDoc is the result of budget show.
type budgetShowDoc struct {
	At time.Time `json:"at"`
	budgetDoc
	DocumentedSeconds float64            `json:"documented_seconds"` // the interval in the vendor's documentation
	Used              bool               `json:"used"`               // it was called within a week
	Breakers          []budgetBreakerDoc `json:"breakers"`           // that concern it and are not closed
	Advice            []string           `json:"advice"`
}

// budgetBreakerDoc is a breaker that is not closed.
type budgetBreakerDoc struct {
	Scope   string    `json:"scope"` // host, credential, or the operation's class
	State   string    `json:"state"` // open, probing, ramp
	ProbeAt time.Time `json:"probe_at,omitzero"`
	Reason  string    `json:"reason,omitzero"` // code of the failure that opened it
}

func (e *env) showBudget(ctx context.Context, s *stores, name string, op tebra.Operation) error {
	f, err := flow.New(flow.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	owner, err := findTenant(ctx, s.ledger, name)
	if err != nil {
		return err
	}
	all, err := f.Budgets(ctx, owner.ID)
	if err != nil {
		return err
	}
	states, err := f.States(ctx, owner.ID)
	if err != nil {
		return err
	}
	now := time.Now()
	usages, err := f.Usages(ctx, budget.State{Tenant: owner.ID, Operation: op.Name})
	if err != nil {
		return err
	}
	d := diagnose.Budget{State: budget.State{Tenant: owner.ID, Operation: op.Name, Interval: op.Interval}, Documented: op.Interval, Usage: usages[0]}
	for _, b := range all {
		if b.Operation == op.Name {
			d.State, d.Used = b, true
		}
	}
	for _, b := range states {
		if b.Condition != breaker.Closed && b.Concerns(owner.ID, op.Name) {
			d.Breakers = append(d.Breakers, b)
		}
	}
	doc := budgetShowDoc{
		At: now.UTC(), budgetDoc: readBudget(d.State, d.Usage, now), DocumentedSeconds: op.Interval.Seconds(), Used: d.Used,
		Breakers: make([]budgetBreakerDoc, 0, len(d.Breakers)), Advice: d.Advice(),
	}
	for _, b := range d.Breakers {
		row := budgetBreakerDoc{Scope: b.Scope, State: string(b.Condition), Reason: b.Reason}
		if !b.Until.IsZero() {
			row.ProbeAt = b.Until.UTC()
		}
		doc.Breakers = append(doc.Breakers, row)
	}
	return e.answer(doc, doc.write)
}

func (d budgetShowDoc) write(w io.Writer) {
	var out details
	out.add("tenant", d.Tenant.String())
	out.add("operation", d.Operation)
	out.add("documented", "one call per "+inSeconds(d.DocumentedSeconds))
	if d.Used {
		out.add("interval", inSeconds(d.IntervalSeconds))
		out.add("margin", inSeconds(d.MarginSeconds))
		out.add("spacing", inSeconds(d.SpacingSeconds))
		out.add("used", fmt.Sprintf("%s of the last minute, %s of the last hour", percent(d.UsedMinute), percent(d.UsedHour)))
		out.add("retries", fmt.Sprintf("%.0f at once; %.0f were delayed in the last hour", max(0, math.Floor(d.Retries)), d.RetriesDelayed))
		out.add("next call", cmp.Or(until(d.NextAt, d.At), "now"))
		out.addTime("blocked until", d.BlockedUntil, d.At)
		out.addTime("booked until", d.BookedUntil, d.At)
	}
	for _, b := range d.Breakers {
		out.add("breaker "+b.Scope, b.State+" ("+cmp.Or(b.Reason, unknown)+")")
		out.addTime("probe", b.ProbeAt, d.At)
	}
	out.write(w)
	writeAdvice(w, d.Advice)
}
