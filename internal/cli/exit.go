package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// The exit codes are a contract with scripts: add new ones, but never change a number.
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
	{exitOK, "success"},
	{exitFailed, "failure that no other code describes"},
	{exitUsage, "wrong usage or configuration; nothing was done"},
	{exitNotFound, "not found"},
	{exitNotAllowed, "not allowed"},
	{exitConflict, "conflict: it exists already, or has changed in the meantime"},
	{exitDependency, "dependency failure: Redis, the ledger or the vendor does not answer"},
	{exitCheck, "a check failed"},
	{exitTimeout, "not finished within --timeout"},
	{exitPartly, "partly done"},
	{exitInterrupted, "interrupted"},
}

// newExitCodes returns a help topic: a command without a function.
func newExitCodes() *cobra.Command {
	var b strings.Builder
	b.WriteString("Every command exits with one of these codes:\n\n")
	for _, m := range exitMeanings {
		fmt.Fprintf(&b, "  %3d  %s\n", m.code, m.meaning)
	}
	return &cobra.Command{Use: "exit-codes", Short: "Meanings of the exit codes", Long: b.String()}
}
