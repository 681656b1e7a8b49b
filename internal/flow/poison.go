package flow

import (
	"sync"
	"time"
)

// faults tells calls that fail by their own fault from a vendor that is down. The vendor answers a record that it cannot
// read with the same internal fault as an outage. Counted as an outage, one such record opens the breaker for everybody;
// worse, it comes back first, becomes the probe, fails, and keeps the breaker open for good.
//
// A call that failed is at fault itself once another call, sent after that failure, has succeeded. From then on its
// failures say nothing to the breaker, and it is not sent as a probe, until it succeeds or an hour has passed. Failures
// that led to an opening, and those of probes, are the outage's and no evidence; but the one failure that is enough in the
// ramp is, or a record first met there would open the breaker after every recovery.
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
	// maxFaults bounds what is remembered; beyond it failures count as the vendor's.
	maxSuspects = 256
	// faultMemory is how long a call that fails by its own fault is known for it.
	suspectLife = time.Hour
)

// own reports whether the call is known to fail by its own fault.
func (s *suspects) isPoison(call uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.calls[call]
	return have.poison && time.Since(have.failed) < suspectLife
}

// fail remembers a failure that may be the call's own. A call without a fingerprint is never at fault.
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

// work takes a success of a call that was sent at sent: it is not at fault, and those that failed before are.
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

// excuse forgets the failures that turned out to be the vendor's.
func (s *suspects) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for call, have := range s.calls {
		if !have.poison {
			delete(s.calls, call)
		}
	}
}
