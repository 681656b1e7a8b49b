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
		Long: `Check the environment, both Redis roles, ledger, keyset, vendor and clocks, and say for each what was seen,
what it means and how to fix it. It changes nothing and needs no running process.

Exit code 7 says that a check failed. Warnings do not fail.`,
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
		return ctx.Err() // a half-done report would blame what was not looked at
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

// writeFindings prints a line for what is well, and more for what is not.
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
