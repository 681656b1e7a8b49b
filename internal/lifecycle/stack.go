package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// Stack holds named steps that undo what was done, last first. The zero value is ready and logs nothing; it is safe for
// concurrent use.
type Stack struct {
	// Logger gets one line for each step that fails, under "step". Nil: none.
	Logger *slog.Logger

	mu    sync.Mutex
	steps []step
}

type step struct {
	name string
	stop func(context.Context) error
}

// Push adds a step. The name is for the log and for errors. Steps pushed while Close runs belong to the next Close.
func (s *Stack) Push(name string, stop func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{name: name, stop: stop})
}

// Close runs every step, the last pushed first, and empties the stack, so that a second Close does nothing. A step that
// fails, panics or finds ctx ended does not keep the others from running. The errors are joined, each with its step's
// name in front.
func (s *Stack) Close(ctx context.Context) error {
	s.mu.Lock()
	steps := s.steps
	s.steps = nil
	s.mu.Unlock()

	var errs []error
	for _, step := range slices.Backward(steps) {
		err := step.run(ctx)
		if err == nil {
			continue
		}
		if s.Logger != nil {
			s.Logger.ErrorContext(ctx, "stop failed", "step", step.name, "error", err)
		}
		errs = append(errs, fmt.Errorf("stop %s: %w", step.name, err))
	}
	return errors.Join(errs...)
}

// Rollback closes the stack if *err is not nil and joins what that gives to it. Deferred in a constructor, it undoes a
// half-done construction whichever line fails:
//
//	defer stack.Rollback(ctx, &err)
func (s *Stack) Rollback(ctx context.Context, err *error) {
	if *err != nil {
		*err = errors.Join(*err, s.Close(ctx))
	}
}

func (st step) run(ctx context.Context) (err error) {
	defer recovered(&err)
	return st.stop(ctx)
}

// errPanic stands for a recovered panic. The value stays out: it may quote what the code was working on.
var errPanic = errors.New("panic")

// recovered turns a panic of the deferring function into errPanic.
func recovered(err *error) {
	if recover() != nil {
		*err = errPanic
	}
}
