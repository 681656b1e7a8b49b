package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// admission is a breaker's permission for one attempt.
type admission struct {
	breaker *local
	gen     int64
	slow    int    // the ramp's factor
	token   string // of a probe, or of a login's first call; empty for any other attempt
	count   func(error)
	call    tebra.Call
	tenant  tenant.ID
	control bool // the call is repeated by Probe, to find out about this breaker
	known   bool // the call has worked before
	alone   bool // the tenant is the only one that this process knows
	began   time.Time
}

// otherProbe is how long callers wait for another caller's probe: the usual time of a call.
const otherProbe = 2 * time.Second

// admit admits an attempt, as the fleet's one probe if the breaker is due for it. If it refuses, it
// returns how long to wait. If the breaker changed in the meantime, it returns neither admission
// nor wait.
func (b *local) admit(ctx context.Context, e *entry) (*admission, time.Duration, error) {
	v, err := b.read(ctx)
	if err != nil {
		return nil, 0, err
	}
	a := &admission{
		breaker: b, gen: v.Gen, slow: b.slowdown(v), call: e.call, tenant: e.budget.Tenant,
		control: e.control.of == b, known: e.control.known, alone: e.flow.hasOne(),
		began: time.Now(),
	}
	switch {
	case v.IsOpen(b.login(e.call)):
		if wait := time.Until(v.Until); wait > 0 {
			return nil, wait, nil
		}
		if wait := b.probeDelay(e, v); wait > 0 {
			return nil, wait, nil
		}
		fallthrough
	case b.isUnproven(e.call, v):
		wait, err := a.probe(ctx)
		if err != nil || wait > 0 || a.token == "" {
			return nil, wait, err
		}
	}
	return b.counted(a)
}

// counted asks the count of this process.
func (b *local) counted(a *admission) (*admission, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := time.Until(b.alone); wait > 0 && a.token == "" {
		return nil, wait, nil
	}
	count, err := b.count.Allow()
	if err != nil && a.token == "" {
		return nil, b.o.Breakers.Cache, nil // half-open in this process, and another call is its trial
	}
	if err != nil {
		count = func(error) {} // the outcome of the probe decides alone
	}
	a.count = count
	return a, 0, nil
}

// login returns what a call's login is to the breaker; "" if the breaker is not about logins.
func (b *local) login(c tebra.Call) string {
	if b.kind == credentialScope {
		return c.Login
	}
	return ""
}

// isUnproven reports whether the call uses a login that has not worked yet. The first call of such
// a login is alone: a wrong password costs one refusal.
func (b *local) isUnproven(c tebra.Call, v breaker.Shared) bool {
	return b.login(c) != "" && v.Proven != c.Login
}

// probeDelay returns how long other calls have the first chance to be the probe; 0 when this call
// may be it. The probe decides for all callers. It is therefore a call that is known to work, if
// Probe has one to repeat. It is never a call that may fail because of what it asks for, nor the
// call that failed as the last probe while another one may still arrive.
func (b *local) probeDelay(e *entry, v breaker.Shared) time.Duration {
	call := e.call.Fingerprint
	switch {
	case e.control.of == b || b.kind == credentialScope:
		return 0
	case b.suspects.isPoison(call):
		return b.first()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delay := time.Duration(0)
	if e.flow.probing.Load() && !b.write {
		delay = probeHeadStart
	}
	if call != 0 && call == b.failedProbe {
		delay = b.first()
	}
	return max(0, time.Until(v.Until.Add(delay)))
}

// probe asks for the permission to send the probe. If it returns without a token and without a
// wait, the breaker has changed.
func (a *admission) probe(ctx context.Context) (wait time.Duration, err error) {
	b := a.breaker
	b.putBackLate(ctx)
	a.token, wait, err = b.Probe(ctx, b.o.Redis, a.gen, b.login(a.call), b.o.Breakers.Probe)
	switch {
	case err != nil:
		return 0, fmt.Errorf("admit: %w", err)
	case wait > 0:
		return max(min(wait, b.first()/4, otherProbe), b.o.Breakers.Cache), nil
	case a.token == "":
		b.invalidate()
	}
	return 0, nil
}

// slowdown returns the factor by which the ramp divides the pace.
func (b *local) slowdown(v breaker.Shared) int {
	if v.Closed.IsZero() {
		return 1
	}
	switch since := time.Since(v.Closed); {
	case since < b.o.Breakers.Ramp:
		return 4
	case since < 2*b.o.Breakers.Ramp:
		return 2
	}
	return 1
}

// conclusion is what the outcome of an attempt means for its breaker.
type conclusion uint8

const (
	unremarkable conclusion = iota
	suspicious              // a call that is known to work has to decide about the breaker
	opened
)

// done reports the outcome of the attempt to the breaker.
func (a *admission) done(ctx context.Context, o tebra.Outcome) (is conclusion) {
	b := a.breaker
	v := classify(b.kind, o)
	evident := v == failure && a.isEvidence()
	switch {
	case v == success:
		b.suspects.succeeded(a.call.Fingerprint, a.began)
		b.failing(a.tenant, false)
		a.count(nil)
	case evident:
		a.count(errCounted)
	default:
		a.count(errExcluded)
	}
	switch {
	case evident && (a.token != "" || b.tripped()):
		a.opens(ctx, o)
		return opened
	case v == failure && a.suspect():
		is = suspicious
	case v == failure:
	case a.token == "":
	case v == ignored:
		b.putBack(ctx, a.token)
	default:
		b.close(ctx, a.gen, a.call.Login, a.token)
	}
	return is
}

// isEvidence reports whether a failure speaks of what the breaker guards, and not only of what the
// call asks for. A refused login does, and so does a call that is known to work, such as a probe.
// For the host, the calls that are evidence are of different tenants, if there are several. Calls
// that change something are not repeated as a control; for them, failures in a row of different
// calls are evidence.
func (a *admission) isEvidence() bool {
	b := a.breaker
	switch {
	case b.kind == credentialScope || a.token != "":
		return true
	case b.write:
		return !b.suspects.isSuspect(a.call.Fingerprint)
	case !a.control:
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kind == hostScope && b.witness == a.tenant && !(a.alone && a.known) {
		return false
	}
	b.witness = a.tenant
	return true
}

// opens publishes that the breaker opens because of the attempt. Failures that led to an opening
// prove nothing about their records.
func (a *admission) opens(ctx context.Context, o tebra.Outcome) {
	b := a.breaker
	if a.token != "" {
		b.mu.Lock()
		b.failedProbe = a.call.Fingerprint
		b.mu.Unlock()
	}
	b.suspects.forget()
	b.open(ctx, a.gen, o.Code, a.call.Login, a.evidence())
}

// evidence says in words what opened the breaker.
func (a *admission) evidence() string {
	switch b := a.breaker; {
	case b.kind == credentialScope:
		return "the vendor refused the login"
	case a.token != "":
		return "the probe failed"
	case b.write:
		return fmt.Sprintf("%d different calls failed in a row", b.o.Breakers.Failures)
	case b.kind == hostScope && !a.alone:
		return "calls of two tenants failed that had worked before"
	}
	return "a call failed repeatedly that had worked before"
}

// suspect notes a failure that is no evidence. It reports whether there were enough of them since
// the last success to look for evidence; in the ramp one is enough.
func (a *admission) suspect() bool {
	b := a.breaker
	b.failing(a.tenant, true)
	n := b.suspects.failed(a.call.Fingerprint, time.Now())
	return n >= b.o.Breakers.Failures || n > 0 && a.slow > 1
}
