package flow

import (
	"sync"
	"time"
)

// suspects distinguishes poison calls from an outage of the vendor. For a record that it cannot
// read, the vendor returns the same internal fault as in an outage, and a window may be too long
// for the time that it has. Such a failure follows what the call asks for, and says nothing about
// other calls.
//
// Every failed call is a suspect. It is poison once another call has succeeded that was sent after
// the failure; one that was sent before proves nothing, because an outage may have begun since. It
// remains poison until it succeeds or an hour has passed. Failures that led to an opening, and
// those of probes, come from the outage and prove nothing.
//
// The zero value is ready.
type suspects struct {
	mu       sync.Mutex
	calls    map[uint64]suspect
	failures int // since a call succeeded, of calls that were not poison
}

type suspect struct {
	failed time.Time // last
	poison bool
}

const (
	// maxSuspects limits the calls remembered; failures beyond it prove nothing about their calls.
	maxSuspects = 256
	// suspectLife is how long a call stays poison after its last failure.
	suspectLife = time.Hour
)

// isPoison reports whether the call is known to be poison.
func (s *suspects) isPoison(call uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.calls[call]
	return have.poison && time.Since(have.failed) < suspectLife
}

// isSuspect reports whether the call has failed and may be poison.
func (s *suspects) isSuspect(call uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, known := s.calls[call]
	return known && time.Since(have.failed) < suspectLife
}

// failed remembers a failure of a call. It returns how many calls have failed since one has
// succeeded, and 0 if the call is poison. A call without a fingerprint, 0, is counted and not
// remembered.
func (s *suspects) failed(call uint64, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, known := s.calls[call]
	poison := have.poison && now.Sub(have.failed) < suspectLife
	if !poison {
		s.failures++
	}
	if call != 0 && (known || s.hasRoom(now)) {
		s.calls[call] = suspect{failed: now, poison: poison}
	}
	if poison {
		return 0
	}
	return s.failures
}

// hasRoom reports whether one more call can be remembered, and forgets the oldest for it.
func (s *suspects) hasRoom(now time.Time) bool {
	if s.calls == nil {
		s.calls = map[uint64]suspect{}
	}
	if len(s.calls) < maxSuspects {
		return true
	}
	for old, of := range s.calls {
		if now.Sub(of.failed) >= suspectLife {
			delete(s.calls, old)
		}
	}
	return len(s.calls) < maxSuspects
}

// succeeded records the success of a call that was sent at sent. The call is no suspect any more;
// suspects that failed before it was sent are poison.
func (s *suspects) succeeded(call uint64, sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, call)
	s.failures = 0
	for other, have := range s.calls {
		if !have.poison && have.failed.Before(sent) {
			have.poison = true
			s.calls[other] = have
		}
	}
}

// unresolved returns how many calls have failed since one has succeeded.
func (s *suspects) unresolved() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures
}

// forget removes the suspects whose failures turned out to be the vendor's.
func (s *suspects) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = 0
	for call, have := range s.calls {
		if !have.poison {
			delete(s.calls, call)
		}
	}
}
