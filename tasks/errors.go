package tasks

import (
	"cmp"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Code says why a task waits or died, in one word for programs: "vendor_throttled". It has 1 to 48
// lower-case letters and underscores; the zero Code says that there is nothing to explain.
//
// A Code is an error, so a worker can return one, wrap one with %w, or pass one to Permanent.
// Another module declares its own as constants:
//
//	const RosterLocked tasks.Code = "roster_locked"
//
// Operators see codes, and Redis and the ledger keep them in clear: a code never names a person.
type Code = codes.Code

// CodeOf returns the code that an error carries, which is all of the error that is stored: the
// error, or one it wraps, is a Code or has a method ErrorCode() string. It returns "error" when
// there is none. The text of the error is never read.
func CodeOf(err error) Code { return cmp.Or(codes.Of(err), codes.Error) }

// codeIf is for spans, where success has no code.
func codeIf(err error) string {
	if err == nil {
		return ""
	}
	return string(CodeOf(err))
}

// signal is an error that says what becomes of its task.
type signal struct {
	permanent bool
	at        time.Time
	reason    Code
	err       error
}

func (s *signal) Error() string {
	if s.err != nil {
		return s.err.Error()
	}
	return string(s.reason)
}

func (s *signal) Unwrap() error { return s.err }

// Permanent says that running the task again would not help: it becomes a dead
// letter now. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &signal{permanent: true, err: err}
}

// Later says that the task is to run at t, and that this was no failure. The
// reason is a code ("vendor_throttled") that operators see. A t that has passed
// means the next second; one more than a week ahead means a week.
func Later(t time.Time, reason Code) error { return &signal{at: t, reason: reason} }
