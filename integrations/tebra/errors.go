package tebra

import (
	"time"
)

// Code classifies how a call failed. Codes are safe to log, to count and to show: they say what happened, never about whom.
type Code string

// The codes. Every failed call carries exactly one.
const (
	Throttled       Code = "throttled"       // the account asked this operation more often than the vendor allows
	Unauthenticated Code = "unauthenticated" // the vendor does not accept the customer key, user or password
	Denied          Code = "denied"          // the user lacks a permission, or may not see the practice
	Invalid         Code = "invalid"         // the vendor, or this client, refuses the request as it stands
	NotFound        Code = "not_found"       // the record does not exist, or the vendor answers nothing for it
	Conflict        Code = "conflict"        // the record is not in the state that the change needs
	Unavailable     Code = "unavailable"     // the vendor, or the way to it, is down
	Timeout         Code = "timeout"         // the operation's deadline passed; a sent call may have taken effect
	Canceled        Code = "canceled"        // the caller gave up; a sent call may have taken effect
	Malformed       Code = "malformed"       // the answer is cut, too large, not XML, or answers something else
	Unknown         Code = "unknown"         // the vendor says no in words this client does not know
)

// Error is what every method of the client returns when a call failed. Its text holds the operation and the code, and
// never anything of the answer: vendor messages quote names, identifiers and stack traces.
type Error struct {
	Code      Code
	Operation string
	Sent      bool          // the vendor may have seen the request, so a write may have taken effect
	Interval  time.Duration // the spacing a throttle answer named; 0 when unknown
	Status    int           // HTTP status of the answer; 0 without one
	cause     error         // what the transport or the decoder said; for errors.Is only, never printed
}

// Error returns "tebra OPERATION: CODE".
func (e *Error) Error() string { return "tebra " + e.Operation + ": " + string(e.Code) }

// Unwrap returns the error below, so that errors.Is finds context.Canceled and its like; nil when the answer itself was
// the problem. Do not print it: it is the transport's own and may quote addresses.
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
