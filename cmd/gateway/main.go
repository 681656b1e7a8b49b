// Command gateway answers the HTTP API. Its settings come from the environment; it takes no arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, getenv func(string) string, _, stderr io.Writer) int {
	c, err := config.LoadGateway(getenv)
	if err = errors.Join(config.NoArguments(args), err); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return 2
	}
	log := logging.New(stderr, logging.Options{JSON: c.Mode == config.Production, NoColor: getenv("NO_COLOR") != ""})
	p, err := app.NewGateway(ctx, app.GatewayOptions{Config: c, Version: lifecycle.ReadBuild().Version, Logger: log, Getenv: getenv})
	if err != nil && ctx.Err() != nil {
		return 0 // told to stop while starting, and stopped
	}
	if err == nil {
		err = p.Run(ctx)
	}
	return lifecycle.ExitCode(ctx, log, err)
}
