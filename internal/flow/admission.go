package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// admission is a breaker's permission for one attempt.
type admission struct {
	breaker *breaker
	gen     int64
	slow    int    // the ramp's factor
	token   string // of a probe; empty for any other attempt
	count   func(error)
	call    uint64 // the call's fingerprint
	began   time.Time
}

// admit admits an attempt, as the fleet's one probe if the breaker is due for it. If it refuses, it
// returns how long to wait. If the breaker changed in the meantime, it returns neither admission
// nor wait.
//
// The probe decides for all callers. It is therefore never a poison call, and not the call that
// failed as the last probe while another call may still arrive.
func (b *breaker) admit(ctx context.Context, call uint64) (*admission, time.Duration, error) {
	v, err := b.read(ctx)
	if err != nil {
		return nil, 0, err
	}
	a := &admission{breaker: b, gen: v.gen, slow: b.slowdown(v), call: call, began: time.Now()}
	if !v.until.IsZero() {
		if wait := time.Until(v.until); wait > 0 {
			return nil, wait, nil
		}
		if wait := b.probeDelay(call, v); wait > 0 {
			return nil, wait, nil
		}
		wait, err := a.probe(ctx)
		if err != nil || wait > 0 || a.token == "" {
			return nil, wait, err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := time.Until(b.local); wait > 0 && a.token == "" {
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

// probeDelay returns how long other calls have the first chance to be the probe; 0 when this call
// may be it.
func (b *breaker) probeDelay(call uint64, v fleetState) time.Duration {
	first, _ := b.periods()
	if b.suspects.isPoison(call) {
		return first
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if call == 0 || call != b.failedProbe {
		return 0
	}
	return max(0, time.Until(v.until.Add(first)))
}

// probe asks for the permission to send the probe. If it returns without a token and without a
// wait, the breaker has changed.
func (a *admission) probe(ctx context.Context) (wait time.Duration, err error) {
	b := a.breaker
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	token := uuid.NewString()
	v, err := probeScript.Run(ctx, b.o.Redis, []string{b.scope.key(), b.scope.key("probe")},
		token, b.o.Breakers.Probe.Milliseconds(), a.gen).Int64Slice()
	switch {
	case err != nil:
		return 0, fmt.Errorf("probe: %w", err)
	case len(v) != 2:
		return 0, fmt.Errorf("probe: %d values", len(v))
	case v[0] == 1:
		a.token = token
		return 0, nil
	case v[0] == 2:
		b.invalidate()
		return 0, nil
	}
	// The probe usually ends sooner than its permission: try again after the usual time of a call.
	first, _ := b.periods()
	return max(min(micros(v[1]), first/4), b.o.Breakers.Cache), nil
}

// invalidate makes the next read ask Redis.
func (b *breaker) invalidate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fleet.asked = time.Time{}
}

// slowdown returns the factor by which the ramp divides the pace.
func (b *breaker) slowdown(v fleetState) int {
	if v.closed.IsZero() {
		return 1
	}
	switch since := time.Since(v.closed); {
	case since < b.o.Breakers.Ramp:
		return 4
	case since < 2*b.o.Breakers.Ramp:
		return 2
	}
	return 1
}

// done reports the outcome of the attempt to the breaker.
func (a *admission) done(ctx context.Context, o tebra.Outcome) {
	b := a.breaker
	v := classify(b.scope.kind, o)
	if v == failure && a.ofRecord(o) {
		v = ignored
	}
	switch v {
	case success:
		b.suspects.succeeded(a.call, a.began)
		a.count(nil)
	case failure:
		a.count(errCounted)
	case ignored, reachable:
		a.count(errExcluded)
	}
	switch {
	case v == failure && (a.token != "" || b.tripped()):
		if a.token != "" {
			b.mu.Lock()
			b.failedProbe = a.call
			b.mu.Unlock()
		}
		b.suspects.forget()
		if a.token == "" && a.slow > 1 {
			b.suspects.failed(a.call, time.Now()) // a single failure in the ramp: the next probe shows whether the call is poison
		}
		b.open(ctx, a.gen, o.Code)
	case v == failure:
		b.suspects.failed(a.call, time.Now())
	case a.token == "":
	case v == ignored:
		a.release(ctx)
	default:
		b.close(ctx, a.gen)
	}
}

// ofRecord reports whether a failure may follow what the call asks for: the call is poison, or it
// has failed before and none has succeeded since. Refused credentials and a vendor that cannot be
// reached do not depend on what is asked, and a probe is sent to find out. A response that is not
// the vendor's speaks of the host, unless other calls have shown that this call alone gets it.
func (a *admission) ofRecord(o tebra.Outcome) bool {
	b := a.breaker
	switch {
	case b.scope.kind == credentialScope || o.NotSent:
		return false
	case b.suspects.isPoison(a.call):
		return true
	case b.scope.kind == hostScope && o.Foreign:
		return false
	}
	return a.token == "" && b.suspects.isSuspect(a.call)
}

func (a *admission) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = releaseScript.Run(ctx, a.breaker.o.Redis, []string{a.breaker.scope.key("probe")}, a.token).Err()
}
