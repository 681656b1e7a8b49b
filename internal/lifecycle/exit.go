package lifecycle

import (
	"context"
	"errors"
	"log/slog"
)

// ExitCode returns the code that a process ends with for the error that ended it, and logs that error: 0 for none, what the
// error itself asks for by an ExitCode method wherever it lies in its chain, and 1 for any other.
func ExitCode(ctx context.Context, log *slog.Logger, err error) int {
	if err == nil {
		return 0
	}
	log.ErrorContext(ctx, "process ended", "error", err)
	if asks, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return asks.ExitCode()
	}
	return 1
}
