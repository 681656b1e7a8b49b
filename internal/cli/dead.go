package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"
)

func newDead(e *env) *cobra.Command {
	return e.group("dead", "Show dead letters, replay their tasks, and resolve them",
		newDeadList(e), newDeadGroups(e), newDeadShow(e), newDeadReplay(e), newDeadResolve(e), newDeadExport(e))
}

// deadFlags select dead letters.
type deadFlags struct {
	tenant, kind, code string
	since              time.Duration
}

func (f *deadFlags) add(e *env, cmd *cobra.Command) {
	e.tenantFlag(cmd, &f.tenant, "only this tenant's")
	cmd.Flags().StringVar(&f.kind, "kind", "", "only this kind")
	cmd.Flags().StringVar(&f.code, "code", "", "only this code")
	cmd.Flags().DurationVar(&f.since, "since", 0, "only tasks that died within this time, like 24h; 0 means all")
	known := make([]string, 0, len(kinds))
	for _, k := range kinds {
		known = append(known, k.Name)
	}
	var died []string
	for _, c := range codes.OfTasks() {
		died = append(died, string(c))
	}
	oneOf(cmd, "kind", known)
	oneOf(cmd, "code", died)
}

// filter converts the flags.
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
		return out, usage("--since must not be negative")
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
		Short: "List dead letters, the oldest first",
		Long: `List dead letters, the oldest first: tasks that have failed for good. Payloads stay sealed.

A dead letter is "open" until it is resolved: "replayed" if its task was enqueued again, or "settled" if it needs no
further action.`,
		Example: "  rounds dead list\n  rounds dead list --tenant clinic-a --code vendor_denied --since 24h --json",
		Args:    names(),
		PreRunE: within("--limit", &limit, maxDeadLetters),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(time.Now())
			if err != nil {
				return err
			}
			if !slices.Contains(deadStates, state) {
				return usage("--state must be %s", strings.Join(deadStates, ", "))
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
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number")
	cmd.Flags().StringVar(&after, "after", "", "start after this task ID, for the next page")
	oneOf(cmd, "state", deadStates)
	return cmd
}

const (
	anyState       = "any"
	maxDeadLetters = 500 // the ledger's page size
)

var deadStates = []string{ledger.StateOpen, ledger.StateReplayed, ledger.StateResolved, anyState}

// deadListDoc is the result of dead list: one page, and the totals of open dead letters.
type deadListDoc struct {
	DeadLetters []deadRow `json:"letters"`
	Next        string    `json:"next,omitempty"` // --after for the next page, if there may be one
	Open        []openDoc `json:"open"`           // all open dead letters, by kind and code
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
	Reason     string    `json:"reason,omitempty"` // why an operator resolved it
	Bytes      int       `json:"bytes"`            // size of the sealed payload
}

// isForeign reports whether another program wrote the task into the queue.
func isForeign(l ledger.DeadLetter) bool {
	_, err := queue.ParseID(l.TaskID)
	return err != nil
}

// knownKind returns a kind of this release, and "" for any other text.
func knownKind(kind string) string {
	k, _ := tasks.FindKind(kind)
	return k.Name
}

// redactTask returns the ID of a dead letter if it is a task's ID or a digest, and only its length
// otherwise.
func redactTask(id string) string {
	if _, err := queue.ParseID(id); err == nil || tasks.IsForeignID(id) {
		return id
	}
	return fmt.Sprintf("[%d bytes]", len(id))
}

// openDoc counts the open dead letters of one kind and code.
type openDoc struct {
	Kind        string    `json:"kind"`
	Code        string    `json:"code"`
	Means       string    `json:"means,omitempty"`
	DeadLetters int       `json:"letters"`
	Oldest      time.Time `json:"oldest"`
}

// readDead converts a dead letter. Its kind, lane and code come from the producer of the task and
// are redacted. Of a task that another program wrote, an earlier release kept every text.
func readDead(l ledger.DeadLetter) deadRow {
	if isForeign(l) {
		l.Tenant, l.Kind, l.Lane = "", knownKind(l.Kind), ""
	}
	return deadRow{
		Task: redactTask(l.TaskID), Tenant: l.Tenant.String(), Kind: diagnose.Redact(l.Kind), Lane: diagnose.Redact(l.Lane), Code: diagnose.Redact(l.Code),
		Means: codes.Code(l.Code).Meaning(), Attempts: l.Attempts, EnqueuedAt: l.EnqueuedAt, DiedAt: l.DiedAt, State: l.State,
		Reason: l.Reason, Bytes: len(l.Payload),
	}
}

func (e *env) listDead(ctx context.Context, s *stores, f ledger.Filter) error {
	found, err := s.ledger.DeadLetters(ctx, f)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return &failure{Exit: exitNotFound, Code: "LETTER_NOT_FOUND", What: "the ledger has no dead letter with the task ID of --after", cause: err}
	case errors.Is(err, ledger.ErrInvalid):
		return usage("a flag has an impossible value: %s", err)
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
		doc.Next = redactTask(found[len(found)-1].TaskID)
	}
	for _, c := range counts {
		doc.Open = append(doc.Open, openDoc{Kind: knownKind(c.Kind), Code: diagnose.Redact(c.Code), Means: codes.Code(c.Code).Meaning(), DeadLetters: c.Open, Oldest: c.Oldest})
	}
	return e.answer(doc, doc.write)
}

func (d deadListDoc) write(w io.Writer) {
	now := time.Now()
	table(w, []string{"DIED", "KIND", "TENANT", "CODE", "ATTEMPTS", "STATE", "TASK"}, d.DeadLetters, func(l deadRow) []string {
		return []string{diagnose.Ago(l.DiedAt, now), cmp.Or(l.Kind, unknown), cmp.Or(l.Tenant, unknown), l.Code, fmt.Sprint(l.Attempts), l.State, l.Task}
	})
	if d.Next != "" {
		_, _ = fmt.Fprintf(w, "there may be more; use --after %s\n", d.Next)
	}
	if len(d.Open) == 0 {
		_, _ = fmt.Fprintln(w, "no open dead letter")
	}
	for _, c := range d.Open {
		_, _ = fmt.Fprintf(w, "open: %d of %s with %s: %s\n", c.DeadLetters, cmp.Or(c.Kind, unknown), c.Code, cmp.Or(c.Means, unknown))
	}
}
