package flow

import (
	"sync"
	"time"
)

// suspects distinguishes poison calls from an outage of the vendor. For a record that it cannot
// read, the vendor returns the same internal fault as in an outage. If such a failure counted, one
// record would open the breaker for all callers. Worse, its call returns first, becomes the probe,
// fails, and keeps the breaker open.
//
// Every failed call is a suspect, whose further failures are not counted: an outage also fails
// other calls. It is poison once another call, sent after the failure, has succeeded. From then on
// it is not sent as a probe either, until it succeeds or an hour has passed. Failures that led to
// an opening, and those of probes, come from the outage and prove nothing. The single failure that
// reopens a breaker in the ramp stays suspect, however; otherwise a poison record first met there
// would open the breaker after every recovery.
//
// The zero value is ready.
type suspects struct {
	mu    sync.Mutex
	calls map[uint64]suspect
}

type suspect struct {
	failed time.Time // last
	poison bool
}

const (
	// maxSuspects limits the calls remembered; failures beyond it count as the vendor's.
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

// failed remembers a failure of the call. A call without a fingerprint is never a suspect.
func (s *suspects) failed(call uint64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if call == 0 {
		return
	}
	if s.calls == nil {
		s.calls = map[uint64]suspect{}
	}
	have, known := s.calls[call]
	if !known && len(s.calls) >= maxSuspects {
		for old, of := range s.calls {
			if now.Sub(of.failed) >= suspectLife {
				delete(s.calls, old)
			}
		}
		if len(s.calls) >= maxSuspects {
			return
		}
	}
	s.calls[call] = suspect{failed: now, poison: have.poison && now.Sub(have.failed) < suspectLife}
}

// succeeded records the success of a call that was sent at sent. The call is no suspect any more;
// suspects that failed before it was sent are poison.
func (s *suspects) succeeded(call uint64, sent time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.calls, call)
	for other, have := range s.calls {
		if !have.poison && have.failed.Before(sent) {
			have.poison = true
			s.calls[other] = have
		}
	}
}

// forget removes the suspects whose failures turned out to be the vendor's.
func (s *suspects) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for call, have := range s.calls {
		if !have.poison {
			delete(s.calls, call)
		}
	}
}
