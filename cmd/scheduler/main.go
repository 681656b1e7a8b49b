// Command scheduler decides what is due and enqueues it. It is configured by its environment and
// takes no arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
)

func main() {
	os.Exit(run(lifecycle.SignalContext(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, getenv func(string) string, _, stderr io.Writer) int {
	c, err := config.LoadScheduler(getenv)
	if err = errors.Join(config.NoArguments(args), err); err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		return lifecycle.ExitUsage
	}
	log := logging.New(stderr, logging.Options{JSON: c.Mode == config.Production, NoColor: getenv("NO_COLOR") != ""})
	p := app.Process{Version: lifecycle.ReadBuild().Version, Logger: log, Getenv: getenv}
	return lifecycle.Main(ctx, log, func(ctx context.Context) (lifecycle.Process, error) {
		return app.NewScheduler(ctx, app.SchedulerOptions{Process: p, Config: c})
	})
}
