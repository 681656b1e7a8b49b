package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// names wants exactly the arguments that the command's usage line names.
func names(n ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(n):
			return misused(cmd, n[len(args)]+" is missing")
		case len(args) > len(n):
			return misused(cmd, fmt.Sprintf("unexpected argument %q", args[len(n)]))
		}
		return nil
	}
}

// within returns a check that a flag is between 1 and limit.
func within(flag string, value *int, limit int) func(*cobra.Command, []string) error {
	return func(*cobra.Command, []string) error {
		if *value < 1 || *value > limit {
			return usage("%s must be between 1 and %d", flag, limit)
		}
		return nil
	}
}

// tenantFlag adds --tenant, with the tenants of the ledger as completions.
func (e *env) tenantFlag(cmd *cobra.Command, value *string, use string) {
	cmd.Flags().StringVar(value, "tenant", "", use)
	_ = cmd.RegisterFlagCompletionFunc("tenant", e.completeTenant)
}

// yesFlag adds --yes, for callers that cannot be asked.
func yesFlag(cmd *cobra.Command, value *bool) {
	cmd.Flags().BoolVar(value, "yes", false, "do not ask")
}

// oneOf completes a flag with the values that it may have.
func oneOf(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
