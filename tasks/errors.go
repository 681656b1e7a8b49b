package tasks

import (
	"cmp"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Code is why a task waits or died, in one word for programs: "vendor_throttled". It consists of 1
// to 48 lower-case letters and underscores. The zero Code means that nothing failed.
//
// A Code is an error whose text is the code. A worker can return one, wrap one with %w, and pass
// one to Permanent and Later. Other modules declare their own as constants:
//
//	const RosterLocked tasks.Code = "roster_locked"
//
// Operators see codes, and Redis and the ledger store them in clear, so a code must not be derived
// from data about a person. Code has the methods Meaning() string, which explains a code of this
// module and returns "" for others, and Valid() bool, which checks the spelling.
type Code = codes.Code

// CodeOf returns the code that err carries, which is the only part of a worker's error that is
// stored. An error carries a code if it, or an error that it wraps, is a Code or has a method
// ErrorCode() string; the outermost counts. CodeOf returns "error" if there is none or its spelling
// is invalid. It never reads the text of err, which may name a person.
func CodeOf(err error) Code { return cmp.Or(codes.Of(err), codes.Error) }

// codeIf returns the code for a span, which is empty after success.
func codeIf(err error) string {
	if err == nil {
		return ""
	}
	return string(CodeOf(err))
}

// signal is the error of Permanent, Later and Expired.
type signal struct {
	permanent bool
	expired   bool
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

// Permanent returns an error that makes the task a dead letter now, because another attempt would
// fail the same way. The dead letter has the code that err carries, or "permanent". Permanent
// returns nil if err is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &signal{permanent: true, err: err}
}

// Expired returns an error that ends the task without an effect, because its work is not needed any
// more: the reason says why. It is no failure, nothing is left of the task but its outcome, and
// demands that arrived during the run are met by another run. An invalid reason becomes "expired".
//
// A worker must be sure of that for every demand of the task: see Job.DemandedAt and Job.Replayed.
func Expired(reason Code) error { return &signal{expired: true, reason: reason} }

// Later returns an error that makes the task run again at t. The attempt does not count as a
// failure. Operators see the reason while the task waits; an invalid one becomes "later". A time in
// the past means the next second, and one more than a week ahead means in a week.
func Later(t time.Time, reason Code) error { return &signal{at: t, reason: reason} }
