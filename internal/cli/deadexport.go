package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func newDeadExport(e *env) *cobra.Command {
	var f deadFlags
	var state string
	var payloads bool
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Print dead letters as JSON lines",
		Long: `Print every selected dead letter as a line of JSON, the oldest first. No line contains a person's name: payloads are left
out, or with --payloads sealed in base64, and what another program wrote is left out.`,
		Example:     "  rounds dead export > dead.jsonl\n  rounds dead export --state open --kind patient.sync | jq -r .task",
		Annotations: map[string]string{untimed: "yes"},
		Args:        names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.inState(time.Now(), state)
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedLedger, func(s *stores) error {
				return e.exportDead(cmd.Context(), s, filter, payloads)
			})
		},
	}
	f.add(e, cmd)
	stateFlag(cmd, &state, anyState)
	cmd.Flags().BoolVar(&payloads, "payloads", false, "include payloads, sealed")
	return cmd
}

// exportedDoc is one line of dead export.
type exportedDoc struct {
	deadRow
	Headers []headerDoc `json:"headers"`
	Payload []byte      `json:"payload,omitempty"` // sealed
}

func (e *env) exportDead(ctx context.Context, s *stores, f ledger.Filter, payloads bool) error {
	f.Limit = maxDeadLetters
	enc := json.NewEncoder(e.stdout)
	for {
		page, err := s.ledger.DeadLetters(ctx, f)
		if errors.Is(err, ledger.ErrInvalid) {
			return usage("a flag has an impossible value: %s", err)
		}
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := enc.Encode(exported(l, payloads)); err != nil {
				return fmt.Errorf("write the result: %w", err)
			}
		}
		if len(page) < maxDeadLetters {
			return nil
		}
		f.After = page[len(page)-1].TaskID
	}
}

func exported(l ledger.DeadLetter, payloads bool) exportedDoc {
	out := exportedDoc{deadRow: readDead(l), Headers: []headerDoc{}}
	if isForeign(l) {
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		out.Headers = append(out.Headers, headerDoc{Name: diagnose.Redact(name), Value: diagnose.Redact(l.Headers[name])})
	}
	if payloads && phi.IsSealed(l.Payload) {
		out.Payload = l.Payload
	}
	return out
}
