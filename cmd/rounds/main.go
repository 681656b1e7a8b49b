// Command rounds is the operators' program. "rounds help" says what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/workflow-bolt/rounds/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}
