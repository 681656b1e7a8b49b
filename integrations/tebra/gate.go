package tebra

import (
	"context"
	"time"
)

// Class groups operations by their cost to the vendor and by the damage that a mistake causes.
// Gates keep separate budget shares, circuit breakers and timeouts per class. The zero Class is
// invalid and never occurs in a Call.
type Class uint8

// The classes, from the least to the most consequential.
const (
	ReadOne  Class = iota + 1 // reads one record by its identifier
	ReadList                  // reads a filtered list
	Write                     // changes the vendor's data; never repeated once sent
	System                    // concerns the account itself: throttles, key checks
)

// String returns the name used in metrics and logs, and "unknown" for an invalid Class.
func (c Class) String() string {
	switch c {
	case ReadOne:
		return "read_one"
	case ReadList:
		return "read_list"
	case Write:
		return "write"
	case System:
		return "system"
	}
	return "unknown"
}

// Gate decides when an attempt may be sent. The client asks it before every attempt, the first and
// each retry. Pacing, circuit breakers and limits on concurrent calls are the implementation's
// task; the client has none of them.
//
// Enter returns a Pass for one attempt, or an error. A refusal ("not now") is an error whose chain
// contains the method
//
//	NotBefore() (t time.Time, reason string)
//
// The client returns a refusal unchanged, so that the caller can wait elsewhere. Enter may block
// for as long as the implementation considers useful, but must return when ctx ends.
type Gate interface {
	Enter(ctx context.Context, c Call) (Pass, error)
}

// Call describes an attempt to the Gate. It contains no credentials and nothing that identifies a
// person.
type Call struct {
	Account   string // Options.Account: the budget that the call uses
	Operation string // the vendor's name of the operation, as in Operations
	Class     Class  // the class of the operation
	// Interval is the vendor's documented minimum spacing of the operation's calls. It is a first
	// estimate until responses show the actual one.
	Interval    time.Duration
	Interactive bool // a person waits for the response (see Interactive)
	// Retry reports that the attempt repeats one of the same call, which was not sent.
	Retry bool
	// Fingerprint is equal for equal requests in one process and has no meaning elsewhere. It lets
	// a Gate distinguish a request that always fails from a vendor that is down. 0 means unknown.
	Fingerprint uint64
	// Login is Options.Login: the version of the credentials. "" means unknown.
	Login string
}

// Pass is the permission to make one attempt. The client calls Done exactly once for every Pass.
type Pass interface {
	// Confirm reports whether the request may be sent at this moment. The client calls it before it
	// hands the request to the transport, and again when the transport has a connection. If Confirm
	// returns false, the client sends nothing, reports Outcome{Void: true, NotSent: true} and calls
	// Enter again. Confirm may ask the Gate's store, but must return when ctx ends.
	Confirm(ctx context.Context) bool
	// Done reports how the attempt went. Its ctx carries the caller's values and has not ended.
	Done(ctx context.Context, o Outcome)
}

// Outcome reports one attempt to the Gate. The zero Outcome is a success with unknown latency.
type Outcome struct {
	Code       Code          // "" means success
	NotSent    bool          // the vendor cannot have seen the request
	Void       bool          // the grant was not used: it came too late, or the caller gave up first
	Foreign    bool          // the response is not the vendor's: a proxy, a firewall or the like has made it
	Interval   time.Duration // the interval that a throttle response named; 0 if none
	RetryAfter time.Duration // how long the response asks to wait; see Error.RetryAfter
	// Latency runs from handing the request to the transport until the response is classified; 0 if
	// not sent.
	Latency time.Duration
}
