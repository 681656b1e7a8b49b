package flow

import (
	"context"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// States reads the breakers that the fleet shares: the host's, and those of the given tenants that
// are not closed or that an operator keeps closed.
func (f *Flow) States(ctx context.Context, ids ...tenant.ID) ([]breaker.State, error) {
	all, err := f.Inspect(ctx, BreakerNames(ids...)...)
	if err != nil {
		return nil, err
	}
	out := all[:1]
	for _, s := range all[1:] {
		if s.Condition != breaker.Closed || s.Forced != nil {
			out = append(out, s)
		}
	}
	return out, nil
}

// Inspect reads breakers, in the order of their names.
func (f *Flow) Inspect(ctx context.Context, names ...breaker.Name) ([]breaker.State, error) {
	return breaker.Inspect(ctx, f.options.Redis, 2*f.options.Breakers.Ramp, names...)
}

// BreakerNames returns the names of all breakers there can be: the host's, and those of the given
// tenants.
func BreakerNames(ids ...tenant.ID) []breaker.Name {
	names := []breaker.Name{{Scope: breaker.Host}}
	for _, id := range ids {
		names = append(names, breaker.Name{Tenant: id, Scope: breaker.Credential})
		for _, op := range tebra.Operations() {
			names = append(names, breaker.Name{Tenant: id, Scope: op.Name})
		}
	}
	return names
}

// HostOpen reports whether the host's breaker was open, or waited for its probe, when this process
// read it last.
func (f *Flow) HostOpen() bool { return !f.host.known().Until.IsZero() }

// Breaker returns the state of a breaker as this process knows it. While the breaker is open, and
// has refused a call of this process, Probe reads it every second. known is false for a breaker
// that no call of this process has needed.
func (f *Flow) Breaker(n breaker.Name) (v breaker.Shared, known bool) {
	b := f.find(n)
	if b == nil {
		return breaker.Shared{}, false
	}
	v = b.known()
	return v, !v.Asked.IsZero()
}

func (f *Flow) find(n breaker.Name) *local {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.tenants[n.Tenant]
	switch {
	case n.Scope == breaker.Host:
		return f.host
	case a == nil:
		return nil
	case n.Scope == breaker.Credential:
		return a.credential
	}
	return a.operations[n.Scope]
}

// OfRecord reports whether the last failure of a call follows what the call asks for: others of the
// same operation have succeeded since it was sent.
func (f *Flow) OfRecord(id tenant.ID, operation string, fingerprint uint64) bool {
	b := f.find(breaker.Name{Tenant: id, Scope: operation})
	return b != nil && fingerprint != 0 && b.suspects.isPoison(fingerprint)
}
