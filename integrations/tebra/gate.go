package tebra

import (
	"context"
	"time"
)

// Class groups operations by what they cost the vendor and what a mistake costs the practice. Gates keep separate
// shares, breakers and timeouts per class. The zero Class is no class: a Call never carries it.
type Class uint8

// The classes, from the lightest to the heaviest consequence.
const (
	ReadOne  Class = iota + 1 // one record by its identifier
	ReadList                  // a filtered list
	Write                     // changes the vendor's data; never repeated by the door once sent
	System                    // about the account itself: throttles, key checks
)

// String returns the class as metrics and logs name it; "unknown" for the zero Class.
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

// Gate decides when an attempt may leave the process. The client asks it before every attempt, first or repeated;
// whoever implements it holds pace, breakers and in-flight caps, and the client holds none of them.
//
// Enter returns a Pass for one attempt, or an error. A refusal ("not now") is an error with the method
//
//	NotBefore() (t time.Time, reason string)
//
// anywhere in its chain; the client hands it on untouched, so that the caller can wait outside instead of in here.
// Enter may block for as long as the implementation finds worth it, and must return when ctx ends.
type Gate interface {
	Enter(ctx context.Context, c Call) (Pass, error)
}

// Call says what an attempt is going to do. It holds no credential and no identifier of a person.
type Call struct {
	Account     string        // Options.Account: whose budget the call spends
	Operation   string        // the vendor's operation, as in Operations
	Class       Class         // what kind of call this is
	Interval    time.Duration // the vendor's documented spacing for the operation; a first guess until answers teach better
	Interactive bool          // a person waits for the answer (see Interactive)
	// Fingerprint is equal for equal requests of one process, and means nothing outside of it: by it a Gate tells a call
	// that fails by its own fault from a vendor that is down. 0 is unknown.
	Fingerprint uint64
}

// Pass is a granted attempt. Exactly one Done follows every Pass.
type Pass interface {
	// SendBy is the latest moment at which the request may be handed to the transport; the zero Time is no bound.
	// A client that is later reports Outcome{Void: true, NotSent: true} and enters again.
	SendBy() time.Time
	// Done reports how the attempt went. Its ctx carries the caller's values and is never already ended.
	Done(ctx context.Context, o Outcome)
}

// Outcome is what a Gate learns from one attempt. The zero Outcome is a success of unknown latency.
type Outcome struct {
	Code     Code          // "" is success
	NotSent  bool          // the vendor cannot have seen the request
	Void     bool          // the grant was not used: it came too late, or the caller left before sending
	Interval time.Duration // the spacing that a throttle answer named; 0 when there was none
	Latency  time.Duration // from handing the request to the transport until the answer was classified; 0 when not sent
}
