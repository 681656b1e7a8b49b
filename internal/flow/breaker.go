package flow

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space      = "f1"               // of a tenant's keys, shared with budgets
	hostSpace  = "f1h"              // of the host's keys
	redisLimit = time.Second        // for one script: a caller that waits longer has lost its slot anyway
	keyLife    = 7 * 24 * time.Hour // life of breaker keys that are not used
)

var (
	//go:embed lua/read.lua
	readSource string
	//go:embed lua/open.lua
	openSource string
	//go:embed lua/close.lua
	closeSource string
	//go:embed lua/probe.lua
	probeSource string
	//go:embed lua/release.lua
	releaseSource string

	readScript    = redis.NewScript(readSource)
	openScript    = redis.NewScript(openSource)
	closeScript   = redis.NewScript(closeSource)
	probeScript   = redis.NewScript(probeSource)
	releaseScript = redis.NewScript(releaseSource)
)

type scopeKind uint8

const (
	hostScope scopeKind = iota + 1
	classScope
	credentialScope
)

// scope is what a breaker guards.
type scope struct {
	kind   scopeKind
	tenant tenant.ID   // empty for the host
	class  tebra.Class // for classScope
}

// String returns host, credential, or the class.
func (s scope) String() string {
	switch s.kind {
	case hostScope:
		return "host"
	case credentialScope:
		return "credential"
	case classScope:
		return s.class.String()
	}
	return "unknown"
}

func (s scope) key(parts ...string) string {
	if s.kind == hostScope {
		return tenant.GlobalKey(hostSpace, "vendor", append([]string{"b"}, parts...)...)
	}
	return s.tenant.Key(space, append([]string{"b", s.String()}, parts...)...)
}

// breaker is one process's side of one breaker. gobreaker counts the outcomes in this process;
// Redis holds the state that the fleet shares. Whenever the shared state changes, counting starts
// again.
type breaker struct {
	scope scope
	o     Options

	mu    sync.Mutex
	fleet fleetState
	count *gobreaker.TwoStepCircuitBreaker[struct{}]
	local time.Time // refuse until then: tripped while Redis was unreachable
	// failedProbe is the fingerprint of this process's last failed probe.
	failedProbe uint64

	suspects suspects
}

// fleetState is the shared state on this process's clock.
type fleetState struct {
	until  time.Time // zero when closed
	closed time.Time // of the last closing; zero when unknown or long ago
	opens  int64
	gen    int64
	reason string
	asked  time.Time // before the request to Redis; zero when it was never read
}

func newBreaker(o Options, s scope) *breaker {
	b := &breaker{scope: s, o: o}
	b.count = b.newCount(fleetState{})
	return b
}

var (
	errCounted  = errors.New("counted")
	errExcluded = errors.New("excluded")
)

// newCount returns a count from zero. In the ramp after a closing, one failure trips it.
func (b *breaker) newCount(v fleetState) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	ramp := v.closed.Add(2 * b.o.Breakers.Ramp)
	first, _ := b.periods()
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         b.scope.String(),
		Interval:     time.Minute,
		BucketPeriod: 10 * time.Second,
		Timeout:      first, // matters only while Redis is unreachable
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return c.ConsecutiveFailures > 0 && time.Now().Before(ramp) || b.trips(c)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errExcluded) },
	})
}

func (b *breaker) trips(c gobreaker.Counts) bool {
	switch b.scope.kind {
	case credentialScope:
		return c.ConsecutiveFailures > 0
	case hostScope:
		return c.ConsecutiveFailures >= uint32(b.o.Breakers.HostFailures)
	case classScope:
		limit := uint32(b.o.Breakers.ClassFailures)
		ended := c.TotalSuccesses + c.TotalFailures
		return c.ConsecutiveFailures >= limit || ended >= 2*limit && 2*c.TotalFailures >= ended
	}
	return false
}

// periods returns the first and the longest open period.
func (b *breaker) periods() (first, longest time.Duration) {
	if b.scope.kind == credentialScope {
		return b.o.Breakers.Credential, b.o.Breakers.MaxCredential
	}
	return b.o.Breakers.Open, b.o.Breakers.MaxOpen
}

// read returns the shared state, at most Breakers.Cache old.
func (b *breaker) read(ctx context.Context) (fleetState, error) {
	b.mu.Lock()
	v := b.fleet
	b.mu.Unlock()
	if !v.asked.IsZero() && time.Since(v.asked) < b.o.Breakers.Cache {
		return v, nil
	}
	return b.run(ctx, readScript, []string{b.scope.key()})
}

// run runs a script that returns the breaker's state, and adopts the state.
func (b *breaker) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (fleetState, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	asked := time.Now()
	reply, err := script.Run(ctx, b.o.Redis, keys, args...).Slice()
	if err != nil {
		return fleetState{}, fmt.Errorf("breaker: %w", err)
	}
	v, err := parseFleetState(reply, asked)
	if err != nil {
		return fleetState{}, err
	}
	b.adopt(v)
	return v, nil
}

func parseFleetState(reply []any, asked time.Time) (fleetState, error) {
	if len(reply) != 6 {
		return fleetState{}, fmt.Errorf("breaker: %d values", len(reply))
	}
	var n [5]int64
	for i := range n {
		v, ok := reply[i].(int64)
		if !ok {
			return fleetState{}, fmt.Errorf("breaker: value %d is no number", i)
		}
		n[i] = v
	}
	reason, _ := reply[5].(string)
	v := fleetState{opens: n[2], gen: n[4], reason: reason, asked: asked}
	if n[1] > 0 {
		v.until = asked.Add(micros(n[1] - n[0]))
	}
	if n[3] > 0 {
		v.closed = asked.Add(micros(n[3] - n[0]))
	}
	return v, nil
}

// adopt stores a state that Redis returned, unless the reply to a later request is stored already.
func (b *breaker) adopt(v fleetState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.asked.Before(b.fleet.asked) {
		return
	}
	if v.gen != b.fleet.gen {
		b.count = b.newCount(v)
		b.local = time.Time{}
	}
	b.fleet = v
}

// changed reports whether this process knows that the breaker has opened or closed since gen.
func (b *breaker) changed(gen int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fleet.gen != gen || time.Now().Before(b.local)
}

func (b *breaker) tripped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count.State() == gobreaker.StateOpen
}

// open publishes that the breaker has tripped. When Redis is unreachable, this process alone
// refuses for one period.
func (b *breaker) open(ctx context.Context, gen int64, reason tebra.Code) {
	first, longest := b.periods()
	jitter := 800 + rand.Int64N(401)
	_, err := b.run(context.WithoutCancel(ctx), openScript, []string{b.scope.key(), b.scope.key("probe")},
		first.Microseconds(), longest.Microseconds(), jitter,
		(2 * longest).Microseconds(), string(reason), gen, keyLife.Milliseconds())
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.local = time.Now().Add(first)
	}
}

// close publishes that the probe succeeded. When Redis is unreachable, the probe's permission
// expires and another probe follows.
func (b *breaker) close(ctx context.Context, gen int64) {
	_, _ = b.run(context.WithoutCancel(ctx), closeScript, []string{b.scope.key(), b.scope.key("probe")},
		gen, keyLife.Milliseconds())
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
