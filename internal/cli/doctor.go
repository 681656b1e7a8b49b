package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/diagnose"
)

func newDoctor(e *env) *cobra.Command {
	var o diagnose.Options
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that Rounds depends on",
		Long: `Check the configuration, both Redis roles, ledger, keyset, vendor and clocks, and whether a scheduler and workers run and
what delays their work. Each finding has its evidence, its meaning and a fix. The command changes nothing. Missing processes
are warnings as long as none has run yet.

The exit code is 7 if a check failed. Warnings do not count as failures.`,
		Example: "  rounds doctor\n  rounds doctor --call-vendor --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Getenv = e.getenv
			return e.doctor(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.CallVendor, "call-vendor", false, "also make one call (GetThrottles) for each tenant of ROUNDS_TENANTS")
	return cmd
}

func (e *env) doctor(ctx context.Context, o diagnose.Options) error {
	report := diagnose.Run(ctx, o)
	if ctx.Err() != nil {
		return ctx.Err() // an incomplete report would blame checks that were cut off
	}
	if err := e.answer(report, func(w io.Writer) { writeFindings(w, report.Findings) }); err != nil {
		return err
	}
	if report.OK {
		return nil
	}
	if !e.json {
		e.printf("%d of %d checks failed", report.Counts[diagnose.Fail], len(report.Findings))
	}
	return checkFailed("a check failed")
}

// writeFindings prints a line for each finding, and the meaning and fix of warnings and failures.
func writeFindings(w io.Writer, found []diagnose.Finding) {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-4s  %-24s %s\n", f.Grade, f.Check, f.Evidence)
		if f.Grade == diagnose.Warn || f.Grade == diagnose.Fail {
			lines(&b, "means", []string{f.Means})
			lines(&b, "fix", []string{f.Fix})
		}
	}
	_, _ = io.WriteString(w, b.String())
}
