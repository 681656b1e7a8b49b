package tebra

import "time"

// Code classifies the failure of a call. Codes are safe to log, count and display: they describe
// what happened and never identify a patient.
type Code string

// The codes. Every failed call has exactly one; success is the empty Code.
const (
	// Throttled: the account called this operation more often than the vendor allows.
	Throttled Code = "throttled"
	// Unauthenticated: the vendor does not accept the customer key, user or password.
	Unauthenticated Code = "unauthenticated"
	// Locked: the vendor has locked the login for now, as after too many failed attempts.
	Locked Code = "locked"
	// Denied: the user lacks a permission or may not access the practice.
	Denied Code = "denied"
	// Invalid: the vendor, or this client, rejects the request.
	Invalid Code = "invalid"
	// NotFound: the record does not exist, or the vendor returns nothing for it.
	NotFound Code = "not_found"
	// Merged: the vendor returns the record under another identifier, as after a merge of two
	// patients. The identifier that was asked for no longer exists.
	Merged Code = "merged"
	// Conflict: the record is not in a state that allows the change.
	Conflict Code = "conflict"
	// Unavailable: the vendor cannot be reached, is down or overloaded, or its response was
	// truncated. That includes every response of something between this client and the vendor.
	Unavailable Code = "unavailable"
	// Timeout: the operation's deadline passed. A request that was sent may have taken effect.
	Timeout Code = "timeout"
	// Canceled: the caller gave up. A request that was sent may have taken effect.
	Canceled Code = "canceled"
	// Malformed: the response is not a valid response of the operation (its structure, size,
	// namespaces or values).
	Malformed Code = "malformed"
	// Unknown: the vendor reports an error that this client does not recognize.
	Unknown Code = "unknown"
	// Refused: the Gate refused the call for now. Only Observe and Trace see this code; an Error
	// never has it.
	Refused Code = "refused"
)

// Error is the error of a failed call. Every method of the client returns it, except that it
// returns a Gate's refusal unchanged. A request that the client itself rejects is Invalid and has
// not been sent, nor has the Gate been asked. The error's text contains the operation, the code and
// the reason, and nothing from the response: vendor messages quote names, identifiers and stack
// traces.
type Error struct {
	Code      Code
	Operation string
	// Reason is a fixed keyword of this package that narrows the code ("html", "cut", "range", …),
	// or "".
	Reason string
	// Sent reports that the vendor may have seen the request, so a write may have taken effect.
	Sent     bool
	Interval time.Duration // the interval that a throttle response named; 0 if unknown
	// RetryAfter is how long to wait before the next call, as the response's Retry-After header
	// says, at most an hour; 0 if it has none.
	RetryAfter time.Duration
	Status     int // HTTP status of the response; 0 without a response
	// Fingerprint is that of the Call which the Gate was asked about; 0 if it was not asked.
	Fingerprint uint64
	// cause is context.Canceled, context.DeadlineExceeded or nil. Other causes could quote an
	// address.
	cause error
}

// Error returns "tebra OPERATION: CODE (REASON)", without the parentheses if there is no reason.
func (e *Error) Error() string {
	text := "tebra " + e.Operation + ": " + string(e.Code)
	if e.Reason != "" {
		text += " (" + e.Reason + ")"
	}
	return text
}

// ErrorCode returns the code with the prefix "vendor_", such as "vendor_throttled", which sets it
// apart from the codes of other packages.
func (e *Error) ErrorCode() string { return "vendor_" + string(e.Code) }

// Unwrap returns context.Canceled or context.DeadlineExceeded if that ended the call, and nil
// otherwise. Errors of the transport and the decoder are not kept, because they quote host names
// and sometimes the response.
func (e *Error) Unwrap() error { return e.cause }

// Permanent reports whether the same call would fail the same way until the request, the
// credentials or the permissions change.
func (e *Error) Permanent() bool {
	switch e.Code {
	case Unauthenticated, Denied, Invalid, NotFound, Merged, Conflict:
		return true
	}
	return false
}

// lateReason is the reason of an Error that is Late.
const lateReason = "void"

// Late reports that no grant of the Gate was still valid when the request could be sent. The vendor
// has seen nothing, and the error says nothing about it: this process or its host was too slow.
func (e *Error) Late() bool { return e.Reason == lateReason && !e.Sent }

// Is reports whether target is an *Error with the same code and, unless target names no operation,
// the same operation. For example, errors.Is(err, &tebra.Error{Code: tebra.Throttled}) matches
// throttling of any operation.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Operation == "" || t.Operation == e.Operation)
}
