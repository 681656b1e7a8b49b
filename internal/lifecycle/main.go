package lifecycle

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

// ExitUsage is the exit code of a process that cannot use its arguments or its environment.
const ExitUsage = 2

// SignalContext returns a context that ends with the first SIGINT or SIGTERM. A second signal ends
// the process at once.
func SignalContext() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// Process is a program that has been wired and can run once.
type Process interface {
	// Run works until ctx ends and closes everything that the process opened.
	Run(ctx context.Context) error
}

// Main opens a process, runs it until ctx ends or it fails, and returns its exit code. If ctx ends
// while the process opens, the exit code is 0: the process was asked to stop and has.
func Main(ctx context.Context, log *slog.Logger, open func(context.Context) (Process, error)) int {
	p, err := open(ctx)
	if err != nil && ctx.Err() != nil {
		return 0
	}
	if err == nil {
		err = p.Run(ctx)
	}
	return ExitCode(ctx, log, err)
}

// ExitCode logs the error that ended a process and returns the process's exit code: 0 without an
// error, the result of the error's ExitCode method if one in its chain has it, and 1 otherwise.
func ExitCode(ctx context.Context, log *slog.Logger, err error) int {
	if err == nil {
		return 0
	}
	log.ErrorContext(ctx, "process ended", "error", err)
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	return 1
}
