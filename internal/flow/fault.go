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
type faults struct {
	mu    sync.Mutex
	calls map[uint64]fault
}

type fault struct {
	failed time.Time // last
	own    bool
}

const (
	// maxFaults bounds what is remembered; beyond it failures count as the vendor's.
	maxFaults = 256
	// faultMemory is how long a call that fails by its own fault is known for it.
	faultMemory = time.Hour
)

// own reports whether the call is known to fail by its own fault.
func (f *faults) own(call uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	have := f.calls[call]
	return have.own && time.Since(have.failed) < faultMemory
}

// fail remembers a failure that may be the call's own. A call without a fingerprint is never at fault.
func (f *faults) fail(call uint64, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call == 0 {
		return
	}
	if f.calls == nil {
		f.calls = map[uint64]fault{}
	}
	have, known := f.calls[call]
	if !known && len(f.calls) >= maxFaults {
		for old, of := range f.calls {
			if now.Sub(of.failed) >= faultMemory {
				delete(f.calls, old)
			}
		}
		if len(f.calls) >= maxFaults {
			return
		}
	}
	f.calls[call] = fault{failed: now, own: have.own && now.Sub(have.failed) < faultMemory}
}

// work takes a success of a call that was sent at sent: it is not at fault, and those that failed before are.
func (f *faults) work(call uint64, sent time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.calls, call)
	for other, have := range f.calls {
		if !have.own && have.failed.Before(sent) {
			have.own = true
			f.calls[other] = have
		}
	}
}

// excuse forgets the failures that turned out to be the vendor's.
func (f *faults) excuse() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for call, have := range f.calls {
		if !have.own {
			delete(f.calls, call)
		}
	}
}
