// Command rounds is the operators' program. "rounds help" lists its commands.
package main

import (
	"os"

	"github.com/workflow-bolt/rounds/internal/cli"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
)

func main() {
	os.Exit(cli.Run(lifecycle.SignalContext(), os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
