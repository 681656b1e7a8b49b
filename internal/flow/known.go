package flow

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// worked is a call that is known to work: the last success of an operation of a tenant in this
// process. It can be repeated.
type worked struct {
	tenant    tenant.ID
	operation string
	at        time.Time     // when it was sent
	latency   time.Duration // how long it took
}

const (
	// workedLife is how long a success proves that a call works.
	workedLife = time.Hour
	// bare is an operation that asks for nothing but the account itself. It is known to work before
	// it was called, as no record can make it fail.
	bare        = "GetThrottles"
	bareLatency = 3 * time.Second
)

// works notes that a call has succeeded.
func (f *Flow) works(w worked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.tenants[w.tenant]; a != nil {
		if a.worked == nil {
			a.worked = map[string]worked{}
		}
		a.worked[w.operation] = w
	}
}

// notRepeated lets other tenants' calls be repeated for a while: this one could not be sent.
func (f *Flow) notRepeated(w worked, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.tenants[w.tenant]; a != nil {
		a.resting = time.Now().Add(controlPause)
		if errors.Is(err, tebra.ErrNothingToRepeat) {
			delete(a.worked, w.operation)
		}
	}
}

// candidates returns the calls that can show whether what a breaker guards works, the best first:
// those of tenants without failures, then the fastest. For the host it is one call of each tenant.
func (f *Flow) candidates(b *local) []worked {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.kind == operationScope {
		if w, ok := f.tenants[b.Tenant].worked[b.Scope]; ok && time.Since(w.at) < workedLife {
			return []worked{w}
		}
		return nil
	}
	var out []worked
	for id, a := range f.tenants {
		if time.Now().Before(a.resting) {
			continue
		}
		best := worked{tenant: id, operation: bare, latency: bareLatency}
		for _, w := range a.worked {
			if time.Since(w.at) < workedLife && (best.at.IsZero() || w.latency < best.latency) {
				best = w
			}
		}
		out = append(out, best)
	}
	slices.SortFunc(out, func(x, y worked) int {
		return cmp.Or(b.compareFailing(x.tenant, y.tenant), compareKnown(x, y), cmp.Compare(x.latency, y.latency), cmp.Compare(x.tenant, y.tenant))
	})
	return out
}

// compareKnown puts calls that have succeeded before those that were never made.
func compareKnown(x, y worked) int {
	switch {
	case x.at.IsZero() == y.at.IsZero():
		return 0
	case x.at.IsZero():
		return 1
	}
	return -1
}

// failing notes whether the last call of a tenant has failed.
func (b *local) failing(id tenant.ID, fails bool) {
	if b.kind != hostScope {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !fails {
		delete(b.fails, id)
		return
	}
	if b.fails == nil {
		b.fails = map[tenant.ID]bool{}
	}
	b.fails[id] = true
}

// compareFailing puts tenants without failures first.
func (b *local) compareFailing(x, y tenant.ID) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.fails[x] == b.fails[y]:
		return 0
	case b.fails[x]:
		return 1
	}
	return -1
}
