package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"

	"github.com/workflow-bolt/rounds/internal/app"
)

// unexpected refuses arguments: a flag that is ignored is a setting that somebody believes in.
func unexpected(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return errors.New("scheduler takes no arguments: its settings come from the environment")
}

// startFailed returns the exit code for a process that could not be made. Told to stop meanwhile, it has done as told.
func startFailed(ctx context.Context, log *slog.Logger, err error) int {
	if ctx.Err() != nil {
		return 0
	}
	return ended(ctx, log, err)
}

// ended returns the exit code: 0, 6 when a dependency does not answer, 1 for anything else.
func ended(ctx context.Context, log *slog.Logger, err error) int {
	if err == nil {
		return 0
	}
	log.ErrorContext(ctx, "scheduler ended", "error", err)
	if errors.Is(err, app.ErrDependency) {
		return 6
	}
	return 1
}

// version is what the linker knows of this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	return info.Main.Version
}
