package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// Stack holds named steps that undo what was done, last first. The zero value is usable and logs
// nothing. It is safe for concurrent use.
type Stack struct {
	// Logger gets one line for each step that fails, with the key "step". Nil logs nothing.
	Logger *slog.Logger

	mu    sync.Mutex
	steps []step
}

type step struct {
	name string
	stop func(context.Context) error
}

// Push adds a step, named in logs and errors. A step that is pushed while Close runs belongs to the
// next Close.
func (s *Stack) Push(name string, stop func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step{name: name, stop: stop})
}

// Close runs every step, the last pushed first, and empties the stack, so that a second Close does
// nothing. All steps run, even after one fails or panics or ctx ends. Close joins their errors,
// each with its step's name in front.
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

// Rollback closes the stack if *err is not nil, and joins the errors of closing to it. A
// constructor defers it to undo what was built when a later line fails:
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

// errPanic replaces the value of a recovered panic, which may hold the data that the code worked
// on.
var errPanic = errors.New("panic")

// recovered turns a panic of the deferring function into errPanic.
func recovered(err *error) {
	if recover() != nil {
		*err = errPanic
	}
}
