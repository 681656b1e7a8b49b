package cli

import (
	"context"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// maxSimulated is how many tasks one simulation has at most.
const maxSimulated = 100_000

// simulateFlags describe the tasks of a simulation.
type simulateFlags struct {
	count          int
	lane, practice string
}

func newBudgetSimulate(e *env) *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate TENANT KIND",
		Short: "Say when the vendor would be called for many tasks of a kind",
		Long: `Say when the vendor would be called for the first, the middle and the last of many tasks if they were enqueued now, and what
delays the last most. This assumes that the operation's spacing stays as it is, that tasks call the vendor as often as their
kind does at most, and that nothing else is enqueued later. The vendor's answers take some seconds more. Nothing is enqueued
or changed.

Each practice has a share of the account's budget: name it with --practice for tasks that have one.`,
		Example: `  rounds budget simulate clinic-a patient.sync --count 5000 --practice 1
  rounds budget simulate clinic-a schedule.sync --count 5 --lane interactive --json`,
		Args:              names("TENANT", "KIND"),
		PreRunE:           within("--count", &f.count, maxSimulated),
		ValidArgsFunction: e.completeKind,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := parseTenant(args[0]); err != nil {
				return misused(cmd, "TENANT must be 1 to 40 of a-z, 0-9 and '-'")
			}
			kind, err := f.kind(args[1])
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.simulate(cmd.Context(), s, args[0], kind, f)
			})
		},
	}
	cmd.Flags().IntVar(&f.count, "count", 1, "number of tasks")
	cmd.Flags().StringVar(&f.lane, "lane", "", "the kind's own lane, or interactive if a person is waiting")
	cmd.Flags().StringVar(&f.practice, "practice", "", "practice of the tasks")
	return cmd
}

// kind returns the kind with a name if the flags fit it.
func (f *simulateFlags) kind(name string) (tasks.Kind, error) {
	k, ok := tasks.FindKind(name)
	switch {
	case !ok:
		return k, unknownKind(name)
	case budget.Documented(k.Operation) == 0:
		return k, usage("%s does not call the vendor", k.Name)
	case f.practice != "" && !slices.Contains(k.Members(), "practice"):
		return k, usage("%s has no practice", k.Name)
	}
	if f.lane == "" {
		f.lane = k.Options.Lane
	}
	_, err := enqueueFlags{lane: f.lane}.options(k, time.Time{})
	return k, err
}

// share returns the share of the account's calendar that package tasks books the tasks in.
func (f *simulateFlags) share() budget.Flow {
	return budget.NewFlow(queue.BudgetWeight(f.lane), f.practice)
}

// completeKind completes a tenant, and then a kind.
func (e *env) completeKind(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return e.completeTenant(cmd, args, prefix)
	}
	var out []string
	for _, k := range kinds {
		if len(args) == 1 && budget.Documented(k.Operation) > 0 {
			out = append(out, k.Name)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// simulationDoc is the result of budget simulate.
type simulationDoc struct {
	At             time.Time `json:"at"`
	Tenant         string    `json:"tenant"`
	Kind           string    `json:"kind"`
	Lane           string    `json:"lane"`
	Count          int       `json:"count"`
	Operation      string    `json:"operation"`
	Calls          int       `json:"calls"`
	SpacingSeconds float64   `json:"spacing_seconds"`
	BookedSeconds  float64   `json:"booked_seconds"` // how far ahead other tasks have places
	FirstAt        time.Time `json:"first_at"`       // when the first call is sent
	HalfAt         time.Time `json:"half_at"`
	LastAt         time.Time `json:"last_at"`
	LimitedBy      string    `json:"limited_by"` // spacing, bookings, block or breaker
}

func (e *env) simulate(ctx context.Context, s *stores, name string, k tasks.Kind, f simulateFlags) error {
	owner, err := findTenant(ctx, s.ledger, name)
	if err != nil {
		return err
	}
	gate, err := flow.New(flow.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	op, err := findOperation(k.Operation)
	if err != nil {
		return err
	}
	now := time.Now()
	c := budget.Calls{
		N: f.count * max(1, k.Calls), Interactive: f.lane == tasks.LaneInteractive, Flow: f.share(),
	}
	if c.Earliest, err = brokenFor(ctx, gate, owner.ID, op.Name); err != nil {
		return err
	}
	pace, err := budget.NewPace(budget.Options{Redis: s.queue})
	if err != nil {
		return err
	}
	found, state, err := pace.Forecast(ctx, budget.Operation{Tenant: owner.ID, Name: op.Name, Interval: op.Interval}, c)
	if err != nil {
		return err
	}
	doc := simulationDoc{
		At: now.UTC(), Tenant: name, Kind: k.Name, Lane: f.lane, Count: f.count, Operation: op.Name, Calls: c.N,
		SpacingSeconds: state.Spacing.Seconds(), BookedSeconds: state.Backlog.Seconds(),
		FirstAt: now.Add(found.First).UTC(), HalfAt: now.Add(found.Half).UTC(), LastAt: now.Add(found.Last).UTC(), LimitedBy: string(found.Limit),
	}
	if found.Limit == budget.LimitEarliest {
		doc.LimitedBy = "breaker"
	}
	return e.answer(doc, doc.write)
}

// brokenFor returns how long breakers will stop a tenant's calls of an operation.
func brokenFor(ctx context.Context, gate *flow.Flow, owner tenant.ID, operation string) (time.Duration, error) {
	breakers, err := gate.States(ctx, owner)
	longest := time.Duration(0)
	for _, b := range breakers {
		if b.Condition == breaker.Open && b.Concerns(owner, operation) {
			longest = max(longest, time.Until(b.Until))
		}
	}
	return longest, err
}

// limits describe what delays calls.
var limits = map[string]string{
	string(budget.LimitSpacing):  "the spacing of the operation's calls",
	string(budget.LimitBookings): "places that other tasks have",
	string(budget.LimitBlock):    "a throttle response of the vendor",
	"breaker":                    "a breaker that is open",
}

func (d simulationDoc) write(w io.Writer) {
	var out details
	out.add("calls", strconv.Itoa(d.Calls)+" of "+d.Operation)
	out.add("spacing", inSeconds(d.SpacingSeconds))
	if d.BookedSeconds > 0 {
		out.add("booked ahead", inSeconds(d.BookedSeconds))
	}
	for _, row := range []struct {
		name string
		at   time.Time
	}{{"first call", d.FirstAt}, {"half", d.HalfAt}, {"last call", d.LastAt}} {
		when := "now"
		if row.at.After(d.At) {
			when = row.at.Format(time.RFC3339) + " (" + diagnose.Ago(row.at, d.At) + ")"
		}
		out.add(row.name, when)
	}
	out.add("delayed by", limits[d.LimitedBy])
	out.write(w)
}
