package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func newDead(e *env) *cobra.Command {
	return e.group("dead", "Look at dead letters, and run their tasks again", newDeadList(e), newDeadShow(e), newDeadReplay(e))
}

// deadFlags choose dead letters.
type deadFlags struct {
	tenant, kind, code string
	since              time.Duration
}

func (f *deadFlags) add(e *env, cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.tenant, "tenant", "", "of this tenant alone")
	cmd.Flags().StringVar(&f.kind, "kind", "", "of this kind alone")
	cmd.Flags().StringVar(&f.code, "code", "", "died of this code alone")
	cmd.Flags().DurationVar(&f.since, "since", 0, "died within this time, like 24h; 0 means ever")
	known := make([]string, 0, len(kinds))
	for _, k := range kinds {
		known = append(known, k.name)
	}
	var died []string
	for _, c := range codes.OfTasks() {
		died = append(died, string(c))
	}
	_ = cmd.RegisterFlagCompletionFunc("tenant", e.completeTenant)
	_ = cmd.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("code", cobra.FixedCompletions(died, cobra.ShellCompDirectiveNoFileComp))
}

// filter reads the flags.
func (f *deadFlags) filter(now time.Time) (ledger.Filter, error) {
	out := ledger.Filter{Kind: f.kind, Code: f.code}
	if f.tenant != "" {
		id, err := parseTenant(f.tenant)
		if err != nil {
			return out, err
		}
		out.Tenant = id
	}
	switch {
	case f.since < 0:
		return out, usage("--since is negative")
	case f.since > 0:
		out.Since = now.Add(-f.since)
	}
	return out, nil
}

func newDeadList(e *env) *cobra.Command {
	var f deadFlags
	var state, after string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List dead letters in the order in which they died",
		Long: `List dead letters in the order in which they died: tasks that will not run again by themselves. Payloads stay sealed.

A letter is open until somebody decides about it, replayed when its task was made to run again, and settled when it
needs nothing more.`,
		Example: "  rounds dead list\n  rounds dead list --tenant clinic-a --code vendor_denied --since 24h --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			if !slices.Contains(deadStates, state) {
				return usage("--state must be %s", strings.Join(deadStates, ", "))
			}
			if limit < 1 || limit > maxDeadLetters {
				return usage("--limit must be between 1 and %d", maxDeadLetters)
			}
			filter.After, filter.Limit = after, limit
			if state != anyState {
				filter.State = state
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error {
				return e.listDead(cmd.Context(), s, filter)
			})
		},
	}
	f.add(e, cmd)
	cmd.Flags().StringVar(&state, "state", ledger.StateOpen, strings.Join(deadStates, ", "))
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	cmd.Flags().StringVar(&after, "after", "", "those after this task ID: the next page")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(deadStates, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

const (
	anyState       = "any"
	maxDeadLetters = 500 // what the ledger lists at once
)

var deadStates = []string{ledger.StateOpen, ledger.StateReplayed, ledger.StateResolved, anyState}

// deadListDoc is a page of dead letters, and what is open in all.
type deadListDoc struct {
	DeadLetters []deadRow `json:"letters"`
	Next        string    `json:"next,omitempty"` // --after of the next page, when there may be one
	Open        []openDoc `json:"open"`           // all open letters, by kind and code
}

// deadRow is one dead letter.
type deadRow struct {
	Task       string    `json:"task"`
	Tenant     string    `json:"tenant"`
	Kind       string    `json:"kind"`
	Lane       string    `json:"lane"`
	Code       string    `json:"code"`
	Means      string    `json:"means,omitempty"`
	Attempts   int       `json:"attempts"`
	EnqueuedAt time.Time `json:"enqueued_at,omitzero"`
	DiedAt     time.Time `json:"died_at"`
	State      string    `json:"state"`
	Bytes      int       `json:"bytes"` // of the sealed payload
}

// openDoc counts open letters that died of the same.
type openDoc struct {
	Kind        string    `json:"kind"`
	Code        string    `json:"code"`
	Means       string    `json:"means,omitempty"`
	DeadLetters int       `json:"letters"`
	Oldest      time.Time `json:"oldest"`
}

// readDead takes from a letter what may be shown. Kinds, lanes and codes of a letter come from whoever wrote the task.
func readDead(l ledger.DeadLetter) deadRow {
	return deadRow{
		Task: diagnose.Redact(l.TaskID), Tenant: l.Tenant.String(), Kind: diagnose.Redact(l.Kind), Lane: diagnose.Redact(l.Lane), Code: diagnose.Redact(l.Code),
		Means: codes.Code(l.Code).Meaning(), Attempts: l.Attempts, EnqueuedAt: l.EnqueuedAt, DiedAt: l.DiedAt, State: l.State,
		Bytes: len(l.Payload),
	}
}

func (e *env) listDead(ctx context.Context, s *stores, f ledger.Filter) error {
	found, err := s.ledger.DeadLetters(ctx, f)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return &failure{Exit: exitNotFound, Code: "LETTER_NOT_FOUND", What: "the letter of --after is not in the ledger", cause: err}
	case errors.Is(err, ledger.ErrInvalid):
		return usage("a flag holds what no letter can have: %s", err)
	case err != nil:
		return err
	}
	counts, err := s.ledger.Counts(ctx)
	if err != nil {
		return err
	}
	doc := deadListDoc{DeadLetters: make([]deadRow, 0, len(found)), Open: make([]openDoc, 0, len(counts))}
	for _, l := range found {
		doc.DeadLetters = append(doc.DeadLetters, readDead(l))
	}
	if len(found) == f.Limit {
		doc.Next = diagnose.Redact(found[len(found)-1].TaskID)
	}
	for _, c := range counts {
		doc.Open = append(doc.Open, openDoc{Kind: diagnose.Redact(c.Kind), Code: diagnose.Redact(c.Code), Means: codes.Code(c.Code).Meaning(), DeadLetters: c.Open, Oldest: c.Oldest})
	}
	return e.answer(doc, doc.write)
}

func (d deadListDoc) write(w io.Writer) {
	now := time.Now()
	table(w, []string{"DIED", "KIND", "TENANT", "CODE", "ATTEMPTS", "STATE", "TASK"}, d.DeadLetters, func(l deadRow) []string {
		return []string{diagnose.Ago(l.DiedAt, now), cmp.Or(l.Kind, unknown), cmp.Or(l.Tenant, unknown), l.Code, fmt.Sprint(l.Attempts), l.State, l.Task}
	})
	if d.Next != "" {
		_, _ = fmt.Fprintf(w, "there may be more: --after %s\n", d.Next)
	}
	if len(d.Open) == 0 {
		_, _ = fmt.Fprintln(w, "no letter is open")
	}
	for _, c := range d.Open {
		_, _ = fmt.Fprintf(w, "open: %d of %s died of %s: %s\n", c.DeadLetters, cmp.Or(c.Kind, unknown), c.Code, cmp.Or(c.Means, unknown))
	}
}

func newDeadShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Say all that may be known of a dead letter",
		Long: `Say all that may be known of a dead letter: why its task died, its headers, where the task is now and whether it can
be replayed. Its payload stays sealed; only its size is told.`,
		Example: "  rounds dead show sync-…",
		Args:    names("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.showDead(cmd.Context(), s, args[0])
			})
		},
	}
}

// deadDoc is a dead letter with what the queue knows of its task.
type deadDoc struct {
	deadRow
	Headers []headerDoc `json:"headers"`
	Now     string      `json:"now"`    // where its task is: a state of asynq's, "done", or "gone"
	Replay  string      `json:"replay"` // what replaying it would do
}

// headerDoc is one header. The value of one that is not a plain word is told by its length.
type headerDoc struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (e *env) showDead(ctx context.Context, s *stores, id string) error {
	l, err := s.ledger.DeadLetter(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return noDeadLetter(id, err)
	case errors.Is(err, ledger.ErrInvalid):
		return usage("that is not a task's ID")
	case err != nil:
		return err
	}
	doc := deadDoc{deadRow: readDead(l), Headers: []headerDoc{}}
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		doc.Headers = append(doc.Headers, headerDoc{Name: diagnose.Redact(name), Value: diagnose.Redact(l.Headers[name])})
	}
	if doc.Now, err = whereabouts(ctx, s, id); err != nil {
		return err
	}
	doc.Replay = prospects(l, doc.Now)
	return e.answer(doc, doc.write)
}

func noDeadLetter(id string, cause error) *failure {
	return &failure{
		Exit: exitNotFound, Code: "LETTER_NOT_FOUND", What: "there is no dead letter of that task", cause: cause,
		Means: "it did not die, or its letter was removed", Try: []string{"rounds task show " + diagnose.Redact(id), "rounds dead list"},
	}
}

// where a task may be, beside the states of asynq.
const (
	taskDone = "done" // it ended well, within the hour
	taskGone = "gone" // the queue has forgotten it
)

func whereabouts(ctx context.Context, s *stores, taskID string) (string, error) {
	id, err := queue.ParseID(taskID)
	if err != nil {
		return taskGone, nil //nolint:nilerr // the queue has no such tasks
	}
	info, err := queue.Find(ctx, s.queue, id)
	switch {
	case err == nil:
		return info.State.String(), nil
	case !errors.Is(err, queue.ErrNoTask):
		return "", err
	}
	o, err := queue.NewRuns(s.queue).Outcome(ctx, id)
	switch {
	case err == nil && o.State == taskDone:
		return taskDone, nil
	case err != nil && !errors.Is(err, queue.ErrNoOutcome):
		return "", err
	}
	return taskGone, nil
}

// prospects says what a replay would do.
func prospects(l ledger.DeadLetter, now string) string {
	_, err := queue.ParseID(l.TaskID)
	switch {
	case l.State != ledger.StateOpen:
		return "nothing: it is " + l.State
	case err != nil:
		return "nothing: its task was not one of ours"
	case now == taskDone:
		return "settle it: the task has ended well since"
	case now == taskGone && (l.Kind == "" || len(l.Payload) == 0):
		return "nothing: what the task was about is lost"
	case now == queue.StateArchived, now == taskGone:
		return "make the task wait again, with all its attempts"
	case now == queue.StateActive:
		return "nothing yet: the task runs"
	}
	return "mark it replayed: the task waits already"
}

func (d deadDoc) write(w io.Writer) {
	now := time.Now()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			_, _ = fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("task", d.Task)
	line("state", d.State)
	line("because", d.Code+": "+cmp.Or(d.Means, unknown))
	line("tenant", cmp.Or(d.Tenant, unknown))
	line("kind", cmp.Or(d.Kind, unknown))
	line("lane", d.Lane)
	line("attempts", fmt.Sprint(d.Attempts))
	if !d.EnqueuedAt.IsZero() {
		line("enqueued", fmt.Sprintf("%s (%s)", d.EnqueuedAt.Format(time.RFC3339), diagnose.Ago(d.EnqueuedAt, now)))
	}
	line("died", fmt.Sprintf("%s (%s)", d.DiedAt.Format(time.RFC3339), diagnose.Ago(d.DiedAt, now)))
	line("payload", fmt.Sprintf("%d bytes, sealed", d.Bytes))
	for _, h := range d.Headers {
		line("header "+h.Name, h.Value)
	}
	line("the task now", d.Now)
	line("a replay would", d.Replay)
	_ = t.Flush() // into a buffer
}
