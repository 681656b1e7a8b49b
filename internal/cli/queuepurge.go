package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

const (
	purgeBatch = 200    // tasks per step
	maxPurge   = 50_000 // tasks per command
)

var removable = []string{queue.StateArchived, queue.StateScheduled, queue.StateRetry}

func newQueuePurge(e *env) *cobra.Command {
	var f purgeFlags
	cmd := &cobra.Command{
		Use:   "purge LANE",
		Short: "Remove old tasks of one state from a lane",
		Long: `Remove the tasks of one state that died (archived) or were enqueued (scheduled, retry) longer ago than --older-than.

The dead letters of archived tasks are resolved. A removed scheduled or retried task will not run: its status becomes
"purged", and the same work can be enqueued again.

Tasks that become due during the command are not removed, nor are those that wait for the end of an equal task. The
command works in small steps and can be interrupted and repeated. It removes at most ` + fmt.Sprint(maxPurge) + ` tasks; if there are more, or
if it is interrupted, the exit code is 9.`,
		Example: "  rounds queue purge sync --state archived --older-than 720h\n  rounds queue purge warm --state retry --older-than 24h --yes --json",
		Args:    names("LANE"), ValidArgsFunction: completeLane,
		Annotations: map[string]string{untimed: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := lane(args[0])
			if err != nil {
				return err
			}
			if err := f.check(); err != nil {
				return err
			}
			need := config.NeedQueue
			if f.state == queue.StateArchived {
				need |= config.NeedLedger
			}
			return e.withStores(cmd.Context(), need, func(s *stores) error {
				if err := s.lane(cmd.Context(), name); err != nil {
					return err
				}
				return e.purge(cmd.Context(), s, name, f)
			})
		},
	}
	cmd.Flags().StringVar(&f.state, "state", "", "archived, scheduled or retry (required)")
	cmd.Flags().DurationVar(&f.olderThan, "older-than", 0, "minimum age of a task, like 720h (required; 0s selects all)")
	yesFlag(cmd, &f.yes)
	f.given = func() bool { return cmd.Flags().Changed("older-than") }
	oneOf(cmd, "state", removable)
	return cmd
}

type purgeFlags struct {
	state     string
	olderThan time.Duration
	yes       bool
	given     func() bool // reports whether --older-than was set
}

func (f purgeFlags) check() error {
	switch {
	case !slices.Contains(removable, f.state):
		return usage("--state must be archived, scheduled or retry")
	case !f.given():
		return usage("--older-than is missing")
	case f.olderThan < 0:
		return usage("--older-than must not be negative")
	}
	return nil
}

// purgeDoc is the result of queue purge.
type purgeDoc struct {
	Lane     string    `json:"lane"`
	State    string    `json:"state"`
	Before   time.Time `json:"before"`
	Found    int       `json:"found"`
	Removed  int       `json:"removed"`
	Resolved int       `json:"settled"` // dead letters
	More     bool      `json:"more"`    // there are more than maxPurge
}

func (e *env) purge(ctx context.Context, s *stores, name string, f purgeFlags) error {
	doc := purgeDoc{Lane: name, State: f.state, Before: time.Now().Add(-f.olderThan).UTC()}
	old, err := queue.Old(ctx, s.queue, name, f.state, doc.Before, maxPurge+1)
	if err != nil {
		return err
	}
	if doc.More = len(old) > maxPurge; doc.More {
		old = old[:maxPurge]
	}
	doc.Found = len(old)
	if doc.Found > 0 {
		if err := e.confirm(f.yes, doc.question()); err != nil {
			return err
		}
	}
	p := e.progress("removed")
	for batch := range slices.Chunk(old, purgeBatch) {
		if err := doc.remove(ctx, s, batch); err != nil {
			p.end()
			return doc.interrupted(err)
		}
		p.at(doc.Removed, doc.Found)
	}
	p.end()
	e.actionLog().InfoContext(ctx, "lane purged", "lane", name, "state", f.state, "count", doc.Removed)
	if err := e.answer(doc, doc.write); err != nil {
		return err
	}
	if doc.More {
		return &failure{Exit: exitPartly, Code: "PARTLY", What: "there are more tasks", cause: errReported}
	}
	return nil
}

func (d *purgeDoc) question() string {
	consequence := "these demands will not be met"
	if d.State == queue.StateArchived {
		consequence = "their dead letters are resolved and can no longer be replayed"
	}
	return fmt.Sprintf("%d %s tasks of %s from before %s will be removed; %s. Continue?", d.Found, d.State, d.Lane,
		d.Before.Format(time.RFC3339), consequence)
}

// remove resolves the dead letters of a batch and then removes its tasks. After an interruption in
// between, the next command finds the tasks again.
func (d *purgeDoc) remove(ctx context.Context, s *stores, batch []queue.Task) error {
	if d.State == queue.StateArchived {
		for _, t := range batch {
			if t.ID == "" {
				continue // the task has no dead letter
			}
			err := s.ledger.Resolve(ctx, t.ID, ledger.StateResolved)
			switch {
			case err == nil:
				d.Resolved++
			case !errors.Is(err, ledger.ErrNotFound) && !errors.Is(err, ledger.ErrConflict): // already resolved
				return err
			}
		}
	}
	n, err := queue.Remove(ctx, s.queue, d.Lane, d.State, batch)
	d.Removed += n
	return err
}

func (d *purgeDoc) interrupted(err error) error {
	if d.Removed == 0 && d.Resolved == 0 {
		return err
	}
	return &failure{
		Exit: exitPartly, Code: "PARTLY", What: fmt.Sprintf("%d of %d tasks were removed", d.Removed, d.Found), cause: err,
		Found: []string{err.Error()}, Means: "the others remain, some with resolved dead letters", Try: []string{"repeat the command"},
	}
}

func (d *purgeDoc) write(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%s: removed %d of %d %s tasks", d.Lane, d.Removed, d.Found, d.State)
	if d.State == queue.StateArchived {
		_, _ = fmt.Fprintf(w, ", resolved %d dead letters", d.Resolved)
	}
	_, _ = fmt.Fprintln(w)
	if d.More {
		_, _ = fmt.Fprintln(w, "there are more; repeat the command")
	}
}
