package tebra

import "time"

// Code classifies how a call failed. Codes are safe to log, to count and to show: they say what happened, never about whom.
type Code string

// The codes. Every failed call carries exactly one; success is the empty Code.
const (
	Throttled       Code = "throttled"       // the account asked this operation more often than the vendor allows
	Unauthenticated Code = "unauthenticated" // the vendor does not accept the customer key, user or password
	Denied          Code = "denied"          // the user lacks a permission, or may not see the practice
	Invalid         Code = "invalid"         // the vendor, or this client, refuses the request as it stands
	NotFound        Code = "not_found"       // the record does not exist, or the vendor answers nothing for it
	Conflict        Code = "conflict"        // the record is not in the state that the change needs
	Unavailable     Code = "unavailable"     // the vendor, or the way to it, is down, or its answer was cut short
	Timeout         Code = "timeout"         // the operation's deadline passed; a sent call may have taken effect
	Canceled        Code = "canceled"        // the caller gave up; a sent call may have taken effect
	Malformed       Code = "malformed"       // the answer is not the operation's: shape, size, namespace, dates
	Unknown         Code = "unknown"         // the vendor says no in words this client does not know
	Refused         Code = "refused"         // the Gate said "not now"; seen by Observe and Trace only, never in an Error
)

// Error is what every method of the client returns when a call failed, except for a Gate's refusal, which passes through
// untouched. Its text holds the operation, the code and the reason, and never anything of the answer: vendor messages
// quote names, identifiers and stack traces.
type Error struct {
	Code      Code
	Operation string
	Reason    string        // one fixed word of this package that narrows the code ("html", "cut", "range", …), or ""
	Sent      bool          // the vendor may have seen the request, so a write may have taken effect
	Interval  time.Duration // the spacing that a throttle answer named; 0 when unknown
	Status    int           // HTTP status of the answer; 0 without one
	cause     error         // context.Canceled, context.DeadlineExceeded or nil: nothing that could quote an address
}

// Error returns "tebra OPERATION: CODE (REASON)".
func (e *Error) Error() string {
	text := "tebra " + e.Operation + ": " + string(e.Code)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// ErrorCode returns the code as operators see it beside those of other packages: "vendor_throttled".
func (e *Error) ErrorCode() string { return "vendor_" + string(e.Code) }

// Unwrap returns context.Canceled or context.DeadlineExceeded when that ended the call, else nil. What the transport or
// the decoder said is not kept: it quotes hosts, and at times the answer.
func (e *Error) Unwrap() error { return e.cause }

// Permanent reports whether the same call will fail the same way until somebody changes the request, the credentials or
// the permissions.
func (e *Error) Permanent() bool {
	switch e.Code {
	case Unauthenticated, Denied, Invalid, NotFound, Conflict:
		return true
	}
	return false
}

// Is reports whether target is an *Error with the same code, and the same operation unless target names none; so
// errors.Is(err, &tebra.Error{Code: tebra.Throttled}) asks "throttled, whatever it was".
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Operation == "" || t.Operation == e.Operation)
}
