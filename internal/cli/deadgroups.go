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
)

func newDeadGroups(e *env) *cobra.Command {
	var f deadFlags
	var state string
	cmd := &cobra.Command{
		Use:   "groups",
		Short: "Count dead letters by kind and code",
		Long: `Count dead letters by kind and code, the largest group first, with the first and the last death and the IDs of
examples.`,
		Example: "  rounds dead groups\n  rounds dead groups --tenant clinic-a --since 24h --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.inState(time.Now(), state)
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error {
				return e.groupDead(cmd.Context(), s, filter)
			})
		},
	}
	f.add(e, cmd)
	stateFlag(cmd, &state, ledger.StateOpen)
	return cmd
}

// stateFlag adds --state.
func stateFlag(cmd *cobra.Command, state *string, otherwise string) {
	cmd.Flags().StringVar(state, "state", otherwise, strings.Join(deadStates, ", "))
	oneOf(cmd, "state", deadStates)
}

// inState is filter with the value of --state.
func (f *deadFlags) inState(now time.Time, state string) (ledger.Filter, error) {
	out, err := f.filter(now)
	if err == nil && !slices.Contains(deadStates, state) {
		err = usage("--state must be %s", strings.Join(deadStates, ", "))
	}
	if state != anyState {
		out.State = state
	}
	return out, err
}

// deadGroupsDoc is the result of dead groups.
type deadGroupsDoc struct {
	Groups []deadGroup `json:"groups"`
}

type deadGroup struct {
	Kind        string    `json:"kind"`
	Code        string    `json:"code"`
	Means       string    `json:"means,omitempty"`
	DeadLetters int       `json:"letters"`
	First       time.Time `json:"first"`
	Last        time.Time `json:"last"`
	Examples    []string  `json:"examples"` // task IDs
}

func (e *env) groupDead(ctx context.Context, s *stores, f ledger.Filter) error {
	found, err := s.ledger.Groups(ctx, f)
	if errors.Is(err, ledger.ErrInvalid) {
		return usage("a flag has an impossible value: %s", err)
	}
	if err != nil {
		return err
	}
	doc := deadGroupsDoc{Groups: make([]deadGroup, 0, len(found))}
	for _, g := range found {
		row := deadGroup{
			Kind: knownKind(g.Kind), Code: diagnose.Redact(g.Code), Means: codes.Code(g.Code).Meaning(),
			DeadLetters: g.DeadLetters, First: g.First, Last: g.Last,
		}
		for _, id := range g.Examples {
			row.Examples = append(row.Examples, redactTask(id))
		}
		doc.Groups = append(doc.Groups, row)
	}
	return e.answer(doc, doc.write)
}

func (d deadGroupsDoc) write(w io.Writer) {
	now := time.Now()
	table(w, []string{"DEAD LETTERS", "KIND", "CODE", "FIRST", "LAST", "EXAMPLE"}, d.Groups, func(g deadGroup) []string {
		return []string{fmt.Sprint(g.DeadLetters), cmp.Or(g.Kind, unknown), g.Code, diagnose.Ago(g.First, now), diagnose.Ago(g.Last, now), g.Examples[0]}
	})
	for _, g := range d.Groups {
		_, _ = fmt.Fprintf(w, "%s: %s\n", g.Code, cmp.Or(g.Means, unknown))
	}
	if len(d.Groups) == 0 {
		_, _ = fmt.Fprintln(w, "no dead letter")
	}
}
