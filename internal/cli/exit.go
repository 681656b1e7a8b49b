package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes. They are a contract with scripts: add, never renumber.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitNotAllowed  = 4
	exitConflict    = 5
	exitDependency  = 6
	exitCheck       = 7
	exitTimeout     = 8
	exitPartly      = 9
	exitInterrupted = 130
)

var exitMeanings = []struct {
	code    int
	meaning string
}{
	{exitOK, "done"},
	{exitFailed, "failed, in a way that no other code describes"},
	{exitUsage, "wrong usage or configuration: nothing was tried"},
	{exitNotFound, "what was asked for does not exist"},
	{exitNotAllowed, "not allowed"},
	{exitConflict, "something is there already, or changed meanwhile"},
	{exitDependency, "Redis, the ledger or the vendor does not answer"},
	{exitCheck, "a check failed"},
	{exitTimeout, "not done within --timeout"},
	{exitPartly, "done in part"},
	{exitInterrupted, "interrupted"},
}

// newExitCodes is a help topic: a command that cannot be run.
func newExitCodes() *cobra.Command {
	var b strings.Builder
	b.WriteString("Every command ends with one of these:\n\n")
	for _, m := range exitMeanings {
		fmt.Fprintf(&b, "  %3d  %s\n", m.code, m.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: b.String()}
}
