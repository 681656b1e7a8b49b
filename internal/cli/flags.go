package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// names requires exactly the arguments of the command's usage line.
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

// within returns a function that checks that a flag is between 1 and limit.
func within(flag string, value *int, limit int) func(*cobra.Command, []string) error {
	return func(*cobra.Command, []string) error {
		if *value < 1 || *value > limit {
			return usage("%s must be between 1 and %d", flag, limit)
		}
		return nil
	}
}

// tenantFlag adds --tenant, completed with the tenants of the ledger.
func (e *env) tenantFlag(cmd *cobra.Command, value *string, use string) {
	cmd.Flags().StringVar(value, "tenant", "", use)
	_ = cmd.RegisterFlagCompletionFunc("tenant", e.completeTenant)
}

// yesFlag adds --yes, which skips the confirmation.
func yesFlag(cmd *cobra.Command, value *bool) {
	cmd.Flags().BoolVar(value, "yes", false, "skip the confirmation")
}

// oneOf completes a flag with its possible values.
func oneOf(cmd *cobra.Command, flag string, values []string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}
