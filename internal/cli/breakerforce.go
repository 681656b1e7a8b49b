package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/override"
)

func newBreakerOpen(e *env) *cobra.Command {
	return e.forceBreaker(override.Open, "No call behind this breaker will be sent. Continue?", &cobra.Command{
		Use:   "open SCOPE",
		Short: "Hold calls to the vendor back for some time",
		Long: `Open a breaker by hand: no call behind it is sent until the time is over, and none tests the vendor. Tasks wait at no cost in
attempts. Then a probe decides. SCOPE is host, credential, or an operation of the vendor; the last two need --tenant. The ledger
and the log keep who, why and until when.`,
		Example: "  rounds breaker open host --reason \"vendor maintenance\" --for 30m --yes\n  rounds breaker open GetPatient --tenant clinic-a --reason ops-1234",
	})
}

func newBreakerClose(e *env) *cobra.Command {
	return e.forceBreaker(override.Close, "Calls behind this breaker will be sent, whatever fails. Continue?", &cobra.Command{
		Use:   "close SCOPE",
		Short: "Let calls to the vendor pass for some time, whatever fails",
		Long: `Close a breaker by hand: calls behind it are sent until the time is over, and no failure opens it. A vendor that is down then
costs each call its time, and a login that is refused may be locked. SCOPE is host, credential, or an operation of the vendor; the
last two need --tenant. The ledger and the log keep who, why and until when.`,
		Example: "  rounds breaker close credential --tenant clinic-a --reason \"login corrected\" --for 5m --yes",
	})
}

func newBreakerRelease(e *env) *cobra.Command {
	return e.forceBreaker(override.Release, "The breaker will follow the evidence again. Continue?", &cobra.Command{
		Use:   "release SCOPE",
		Short: "End an operator's decision about a breaker",
		Long: `End an operator's decision about a breaker before its time is over. A breaker that was forced open is due for a probe. The exit
code is 5 if no decision holds.`,
		Example: "  rounds breaker release host --reason \"maintenance is over\" --yes",
	})
}

// forceBreaker turns cmd into a command that carries out a decision about a breaker.
func (e *env) forceBreaker(verb override.Verb, question string, cmd *cobra.Command) *cobra.Command {
	var owner, reason string
	var yes bool
	length := override.Default
	cmd.Args, cmd.ValidArgsFunction = names("SCOPE"), completeScope
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		why, err := parseReason(reason)
		if err != nil {
			return err
		}
		if length < override.Shortest || length > override.Longest {
			return usage("--for must be between %s and %s", override.Shortest, override.Longest)
		}
		return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
			n, err := s.breakerOf(cmd.Context(), args[0], owner)
			if err == nil {
				err = e.confirm(yes, question)
			}
			if err != nil {
				return err
			}
			return e.decide(cmd.Context(), s, override.Decision{Breaker: n, Verb: verb, By: e.operator(), Reason: why, For: length})
		})
	}
	e.tenantFlag(cmd, &owner, "the breaker's tenant")
	cmd.Flags().StringVar(&reason, "reason", "", "why: words of letters and digits, like ops-1234; required")
	if verb != override.Release {
		cmd.Flags().DurationVar(&length, "for", override.Default, "how long it lasts, 1m to 24h")
	}
	yesFlag(cmd, &yes)
	return cmd
}

// operator returns the name under which the ledger records what this command does: that of the
// user of the host, without what is not a name.
func (e *env) operator() string {
	return "cli:" + cmp.Or(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' {
			return c
		}
		return -1
	}, first(e.getenv("USER"), maxOperator)), "unknown")
}

// maxOperator is how many bytes of a user's name are kept.
const maxOperator = 32

func first(s string, n int) string { return s[:min(len(s), n)] }

func (e *env) decide(ctx context.Context, s *stores, d override.Decision) error {
	state, err := override.Apply(ctx, s.ledger, s.queue, d)
	if errors.Is(err, override.ErrNone) {
		return &failure{
			Exit: exitConflict, Code: "CONFLICT", What: err.Error(), cause: err, Means: "the breaker follows the evidence",
			Try: []string{"rounds breaker list"},
		}
	}
	if err != nil {
		return err
	}
	e.actionLog().InfoContext(ctx, "breaker decided by operator", "operation", d.Breaker.Scope, "tenant", d.Breaker.Tenant.String(),
		"state", string(d.Verb), "reason", d.Reason, "operator", d.By)
	doc := breakerShowDoc{At: time.Now().UTC(), Breaker: readBreaker(state), Actions: []actionDoc{}}
	return e.answer(doc, func(w io.Writer) {
		if state.Forced == nil {
			_, _ = fmt.Fprintf(w, "%s released: it is %s\n", d.Breaker, state.Condition)
			return
		}
		verb := "kept closed"
		if state.Condition == breaker.Open {
			verb = "opened"
		}
		_, _ = fmt.Fprintf(w, "%s %s until %s\n", d.Breaker, verb, state.Forced.Until.UTC().Format(time.RFC3339))
	})
}
