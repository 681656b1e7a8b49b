package flow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space      = "f1"               // of a tenant's keys, shared with budgets and breakers
	hostSpace  = "f1h"              // of the fleet's keys
	redisLimit = time.Second        // for one script: a caller that waits longer has lost its slot anyway
	keyLife    = 7 * 24 * time.Hour // life of keys that are not used
)

type scopeKind uint8

const (
	hostScope scopeKind = iota + 1
	operationScope
	credentialScope
)

// local is one process's side of one breaker. gobreaker counts the evidence that this process has;
// Redis holds the state that the fleet shares. Whenever the shared state changes, counting starts
// again.
type local struct {
	breaker.Name
	kind  scopeKind
	write bool // an operation that changes something, which no probe repeats
	o     Options

	mu    sync.Mutex
	fleet breaker.Shared
	count *gobreaker.TwoStepCircuitBreaker[struct{}]
	alone time.Time // refuse until then: tripped while Redis was unreachable
	// failedProbe is the fingerprint of this process's last failed probe, and witness the tenant of
	// the call that was the last evidence.
	failedProbe uint64
	witness     tenant.ID
	owed        string             // the permission of a probe that ended while Redis was unreachable
	probed      worked             // the last probe that this process sent
	fails       map[tenant.ID]bool // host: the tenants whose last call has failed

	suspects suspects
}

func newLocal(o Options, kind scopeKind, name breaker.Name) *local {
	b := &local{Name: name, kind: kind, o: o}
	b.count = b.newCount(breaker.Shared{})
	return b
}

var (
	errCounted  = errors.New("counted")
	errExcluded = errors.New("excluded")
)

// newCount returns a count from zero. In the ramp after a closing, one failure trips it.
func (b *local) newCount(v breaker.Shared) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	ramp := v.Closed.Add(2 * b.o.Breakers.Ramp)
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         b.Name.String(),
		Interval:     time.Minute,
		BucketPeriod: 10 * time.Second,
		Timeout:      b.first(), // matters only while Redis is unreachable
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures > 0 && time.Now().Before(ramp) || c.ConsecutiveFailures >= b.needed()
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
	})
}

// needed is how many failures in a row, of those that are evidence, open the breaker.
func (b *local) needed() uint32 {
	switch {
	case b.kind == credentialScope:
		return 1
	case b.write:
		return uint32(b.o.Breakers.Failures)
	}
	return witnesses
}

// first returns the first open period.
func (b *local) first() time.Duration {
	if b.kind == credentialScope {
		return b.o.Breakers.Credential
	}
	return b.o.Breakers.Open
}

// read returns the shared state, at most Breakers.Cache old.
func (b *local) read(ctx context.Context) (breaker.Shared, error) {
	b.mu.Lock()
	v := b.fleet
	b.mu.Unlock()
	if !v.Asked.IsZero() && time.Since(v.Asked) < b.o.Breakers.Cache {
		return v, nil
	}
	v, err := b.Name.Read(ctx, b.o.Redis)
	if err != nil {
		return breaker.Shared{}, fmt.Errorf("read breaker: %w", err)
	}
	b.adopt(v)
	return v, nil
}

// adopt stores a state that Redis returned, unless the reply to a later request is stored already.
func (b *local) adopt(v breaker.Shared) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.Asked.Before(b.fleet.Asked) {
		return
	}
	if v.Gen != b.fleet.Gen {
		b.count = b.newCount(v)
		b.alone = time.Time{}
	}
	b.fleet = v
}

// known returns the state that was read last, however old.
func (b *local) known() breaker.Shared {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fleet
}

// changed reports whether this process knows that the breaker has opened or closed since gen.
func (b *local) changed(gen int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fleet.Gen != gen || time.Now().Before(b.alone)
}

// invalidate makes the next read ask Redis.
func (b *local) invalidate() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fleet.Asked = time.Time{}
}

func (b *local) tripped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count.State() == gobreaker.StateOpen
}

// open publishes that the breaker has tripped. When Redis is unreachable, this process alone
// refuses for one period.
func (b *local) open(ctx context.Context, gen int64, reason tebra.Code, login, evidence string) {
	o := breaker.Opening{
		First: b.o.Breakers.Open, Longest: b.o.Breakers.MaxOpen, Forget: 2 * b.o.Breakers.MaxOpen,
		Reason: string(reason), Evidence: evidence,
	}
	if b.kind == credentialScope {
		o.First, o.Longest, o.Forget = b.o.Breakers.Credential, b.o.Breakers.Credential, 2*b.o.Breakers.Credential
		o.Later, o.Login = true, login
	}
	v, err := b.Open(context.WithoutCancel(ctx), b.o.Redis, gen, o)
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.alone = time.Now().Add(o.First)
		return
	}
	b.adopt(v)
	if v.Until.IsZero() { // an operator keeps it closed
		b.mu.Lock()
		defer b.mu.Unlock()
		b.count = b.newCount(v)
	}
}

// putBack returns the permission of a probe without an outcome, when Redis answers again at the
// latest.
func (b *local) putBack(ctx context.Context, token string) {
	if b.Return(context.WithoutCancel(ctx), b.o.Redis, token) == nil {
		token = ""
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owed = token
}

// putBackLate returns a permission that could not be returned before.
func (b *local) putBackLate(ctx context.Context) {
	b.mu.Lock()
	token := b.owed
	b.mu.Unlock()
	if token != "" {
		b.putBack(ctx, token)
	}
}

// close publishes that a probe succeeded, or that the login has worked. When Redis is unreachable,
// another probe follows.
func (b *local) close(ctx context.Context, gen int64, login, token string) {
	if b.kind != credentialScope {
		login = ""
	}
	v, err := b.Close(context.WithoutCancel(ctx), b.o.Redis, gen, login)
	if err != nil {
		b.putBack(ctx, token)
		return
	}
	b.adopt(v)
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
