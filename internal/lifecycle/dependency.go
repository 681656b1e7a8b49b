package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ErrDependency marks the error of a process that cannot start because something it depends on is
// unreachable. The process exits with code 6.
var ErrDependency error = dependencyError{}

type dependencyError struct{}

func (dependencyError) Error() string { return "a dependency does not answer" }
func (dependencyError) ExitCode() int { return 6 }

// Unreachable returns err marked as ErrDependency, with the name of the dependency in front.
func Unreachable(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrDependency, err)
}

const (
	// attemptLimit bounds one attempt to connect, so that a process that may not wait reports an
	// unreachable dependency within five seconds.
	attemptLimit = 4 * time.Second
	// attemptPause is the time between two attempts.
	attemptPause = time.Second
)

// WaitFor calls connect until it succeeds, fails with an error that is not an ErrDependency, or
// wait has passed, and returns its last error. Each call gets four seconds. With a wait of zero
// there is one call.
//
// Waiting is for platforms that attach the network while the process already starts: a dependency
// that is unreachable in the first seconds may answer in the second minute. WaitFor logs once that
// it waits. It returns ctx's error when ctx ends while the dependency is unreachable.
func WaitFor(ctx context.Context, log *slog.Logger, wait time.Duration, what string, connect func(context.Context) error) error {
	deadline := time.Now().Add(wait)
	for logged := false; ; {
		attempt, cancel := context.WithTimeout(ctx, attemptLimit)
		err := connect(attempt)
		cancel()
		switch {
		case err == nil || !errors.Is(err, ErrDependency):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case !time.Now().Add(attemptPause).Before(deadline):
			return err
		}
		if !logged {
			logged = true
			log.WarnContext(ctx, "waiting for a dependency", "component", what)
		}
		pause := time.NewTimer(attemptPause)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}
