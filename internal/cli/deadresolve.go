package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

func newDeadResolve(e *env) *cobra.Command {
	var f replayFlags
	var reason string
	cmd := &cobra.Command{
		Use:   "resolve [ID…]",
		Short: "Resolve open dead letters whose tasks need no replay",
		Long: `Resolve open dead letters whose tasks need no replay: the named ones, or with --all those that the other flags select.
The ledger and the log keep the reason: words, or the number of a ticket, never the name of a person.

The exit code is 9 if some dead letters were resolved and others could not be.`,
		Example: `  rounds dead resolve sync-… --reason ops-1234
  rounds dead resolve --all --code unknown_tenant --reason "clinic has left" --yes`,
		Annotations: map[string]string{untimed: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := f.check(args)
			if err != nil {
				return err
			}
			why, err := parseReason(reason)
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error {
				r := &resolve{env: e, stores: s, flags: f, reason: why}
				return r.run(cmd.Context(), args, filter)
			})
		},
	}
	f.rate = maxReplayRate
	f.add(e, cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why they need no replay: words of letters and digits, like ops-1234; required")
	cmd.Flags().BoolVar(&f.all, "all", false, "all open dead letters that the other flags select")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "change nothing and print how many there are")
	yesFlag(cmd, &f.yes)
	cmd.Flags().IntVar(&f.max, "max", maxReplay, "maximum number of dead letters, the oldest first")
	return cmd
}

// parseReason returns the reason as it is stored and logged.
func parseReason(text string) (string, error) {
	reason, err := ledger.ParseReason(text)
	if err != nil {
		return "", usage("--reason must have 1 to %d letters, digits, spaces and any of -._:/+", ledger.MaxReason)
	}
	return reason, nil
}

// resolve is one execution of the command.
type resolve struct {
	env    *env
	stores *stores
	flags  replayFlags
	reason string
	doc    resolveDoc
}

// resolveDoc is the result of dead resolve.
type resolveDoc struct {
	DryRun   bool       `json:"dry_run"`
	Reason   string     `json:"reason"`
	Selected int        `json:"selected"`
	Resolved int        `json:"resolved"`
	Failed   int        `json:"failed"`
	More     bool       `json:"more"`     // the flags select more than --max
	Failures []faultDoc `json:"failures"` // the first maxFailures
}

func (r *resolve) run(ctx context.Context, ids []string, filter ledger.Filter) error {
	selection := &replay{env: r.env, stores: r.stores, flags: r.flags}
	dead, err := selection.selectDead(ctx, ids, filter)
	if err != nil {
		return err
	}
	r.doc = resolveDoc{DryRun: r.flags.dryRun, Reason: r.reason, Selected: len(dead), More: selection.doc.More, Failures: []faultDoc{}}
	if r.flags.dryRun {
		return r.env.answer(r.doc, r.doc.write)
	}
	if r.flags.all && len(dead) > 0 {
		if err := r.env.confirm(r.flags.yes, fmt.Sprintf("%d dead letters will be resolved without a replay. Continue?", len(dead))); err != nil {
			return err
		}
	}
	began := time.Now()
	err = r.each(ctx, dead)
	r.env.actionLog().InfoContext(ctx, "dead letters resolved", "count", r.doc.Resolved, "reason", r.reason, "duration", time.Since(began))
	if err != nil && r.doc.Resolved > 0 {
		return &failure{
			Exit: exitPartly, Code: "PARTLY", What: fmt.Sprintf("%d of %d dead letters were resolved", r.doc.Resolved, r.doc.Selected), cause: err,
			Found: []string{err.Error()}, Means: "the others are unchanged", Try: []string{"repeat the command"},
		}
	}
	if err != nil {
		return err
	}
	if err := r.env.answer(r.doc, r.doc.write); err != nil {
		return err
	}
	return r.outcome()
}

// each resolves the dead letters one by one, and logs each.
func (r *resolve) each(ctx context.Context, dead []selected) error {
	p := r.env.progress("resolved")
	defer p.end()
	for i, d := range dead {
		err := r.stores.ledger.ResolveFor(ctx, d.id, r.reason)
		switch {
		case err == nil:
			r.doc.Resolved++
			r.env.actionLog().InfoContext(ctx, "dead letter resolved", "task", redactTask(d.id), "reason", r.reason)
		case errors.Is(err, ledger.ErrConflict):
			r.fault(d.id, faultNotOpen)
		case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrInvalid):
			r.fault(d.id, faultNotFound)
		default:
			return err
		}
		p.at(i+1, len(dead))
	}
	return nil
}

func (r *resolve) fault(id, code string) {
	r.doc.Failed++
	if len(r.doc.Failures) < maxFailures {
		r.doc.Failures = append(r.doc.Failures, faultDoc{Task: redactTask(id), Code: code})
	}
}

// outcome returns the failure of a completed command, or nil.
func (r *resolve) outcome() error {
	switch {
	case r.doc.Failed == 0:
		return nil
	case r.doc.Resolved > 0:
		return &failure{Exit: exitPartly, Code: "PARTLY", What: "some dead letters could not be resolved", cause: errReported}
	case r.doc.Failures[0].Code == faultNotOpen:
		return &failure{Exit: exitConflict, Code: faultNotOpen, What: "the dead letters are not open", cause: errReported}
	}
	return &failure{Exit: exitNotFound, Code: faultNotFound, What: "there are no such dead letters", cause: errReported}
}

func (d resolveDoc) write(w io.Writer) {
	if d.DryRun {
		_, _ = fmt.Fprintf(w, "%d open dead letters would be resolved\n", d.Selected)
	} else {
		_, _ = fmt.Fprintf(w, "%d dead letters: %d resolved, %d failed\n", d.Selected, d.Resolved, d.Failed)
	}
	for _, f := range d.Failures {
		_, _ = fmt.Fprintf(w, "not resolved: %s (%s)\n", f.Task, f.Code)
	}
	if d.More {
		_, _ = fmt.Fprintln(w, "there are more than --max allows")
	}
}
