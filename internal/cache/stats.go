package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Stats counts what happened to the entries of one class since the Cache was made.
type Stats struct {
	// Hits to Misses count the answers of Peek, PeekMany, Read and Load by the state found. Load counts once.
	Hits, Soft, Stale, Suspect, Misses uint64
	// Broken counts entries that did not open: damaged, copied from elsewhere, or sealed with a key that is gone.
	Broken uint64
	// Loads and Failures count the loads that Load began, and those of them that failed.
	Loads, Failures uint64
	// Shared counts callers that were answered by another caller's load; Served those that got an entry that was not
	// fresh because the load failed.
	Shared, Served uint64
	// Filled counts stored entries; the rest count refused fills by reason.
	Filled, Raced, Older, TooOld, Epoch uint64
}

type counters struct {
	states                  [Suspect + 1]atomic.Uint64
	results                 [Older + 1]atomic.Uint64
	broken, loads, failures atomic.Uint64
	shared, served          atomic.Uint64
}

// classes knows every class that has been used and its figures.
type classes struct {
	mu sync.RWMutex
	m  map[string]*classStats
}

type classStats struct {
	class *Class
	counters
}

// of checks the key and returns its class's figures. A name belongs to the first class that used it.
func (cs *classes) of(k Key) (*classStats, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	cs.mu.RLock()
	st := cs.m[k.Class.Name]
	cs.mu.RUnlock()
	if st == nil {
		st = cs.add(k.Class)
	}
	if st.class != k.Class && *st.class != *k.Class {
		return nil, fmt.Errorf("cache: two classes named %s", k.Class.Name)
	}
	return st, nil
}

func (cs *classes) add(c *Class) *classStats {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if st := cs.m[c.Name]; st != nil {
		return st
	}
	if cs.m == nil {
		cs.m = make(map[string]*classStats)
	}
	st := &classStats{class: c}
	cs.m[c.Name] = st
	return st
}

// Stats returns the figures of every class used so far, by name.
func (c *Cache) Stats() map[string]Stats {
	c.classes.mu.RLock()
	defer c.classes.mu.RUnlock()
	out := make(map[string]Stats, len(c.classes.m))
	for name, st := range c.classes.m {
		out[name] = st.snapshot()
	}
	return out
}

func (k *counters) snapshot() Stats {
	return Stats{
		Hits: k.states[Fresh].Load(), Soft: k.states[Soft].Load(), Stale: k.states[Stale].Load(),
		Suspect: k.states[Suspect].Load(), Misses: k.states[Miss].Load(),
		Broken: k.broken.Load(), Loads: k.loads.Load(), Failures: k.failures.Load(),
		Shared: k.shared.Load(), Served: k.served.Load(),
		Filled: k.results[OK].Load(), Raced: k.results[Raced].Load(), Older: k.results[Older].Load(),
		TooOld: k.results[TooOld].Load(), Epoch: k.results[Epoch].Load(),
	}
}
