package flow

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	space      = "f1"               // of keys that belong to a tenant, shared with budgets
	hostSpace  = "f1h"              // of the one that belongs to none
	redisLimit = time.Second        // for one script: a caller that waits longer has lost its slot anyway
	memory     = 7 * 24 * time.Hour // life of breaker keys that are not used
)

var (
	//go:embed lua/look.lua
	lookSource string
	//go:embed lua/open.lua
	openSource string
	//go:embed lua/close.lua
	closeSource string
	//go:embed lua/probe.lua
	probeSource string
	//go:embed lua/release.lua
	releaseSource string

	lookScript    = redis.NewScript(lookSource)
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

// breaker is one process's side of one breaker: gobreaker counts what this process sees, Redis holds what the fleet has
// concluded. Whenever the latter moves, counting starts anew.
type breaker struct {
	scope scope
	o     Options

	mu    sync.Mutex
	view  view
	count *gobreaker.TwoStepCircuitBreaker[struct{}]
	local time.Time // refuse until then: tripped, and Redis could not be told
	// failedProbe is the fingerprint of the last probe of this process that failed.
	failedProbe uint64

	faults faults
}

// view is the shared state on this process's clock.
type view struct {
	until  time.Time // zero when closed
	closed time.Time // of the last closing; zero when unknown or long ago
	opens  int64
	gen    int64
	reason string
	asked  time.Time // before Redis was; zero when it never was
}

func newBreaker(o Options, s scope) *breaker {
	b := &breaker{scope: s, o: o}
	b.count = b.newCount(view{})
	return b
}

var (
	errCounted  = errors.New("counted")
	errExcluded = errors.New("excluded")
)

// newCount returns a fresh count. Within the ramp after a closing, one failure is enough.
func (b *breaker) newCount(v view) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	ramp := v.closed.Add(2 * b.o.Breakers.Ramp)
	first, _ := b.periods()
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         b.scope.String(),
		Interval:     time.Minute,
		BucketPeriod: 10 * time.Second,
		Timeout:      first, // counts only while Redis cannot be told
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

// look returns the shared state, at most Breakers.Cache old.
func (b *breaker) look(ctx context.Context) (view, error) {
	b.mu.Lock()
	v := b.view
	b.mu.Unlock()
	if !v.asked.IsZero() && time.Since(v.asked) < b.o.Breakers.Cache {
		return v, nil
	}
	return b.run(ctx, lookScript, []string{b.scope.key()})
}

// run runs a script that answers with the breaker's state, and takes the state over.
func (b *breaker) run(ctx context.Context, script *redis.Script, keys []string, args ...any) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	asked := time.Now()
	reply, err := script.Run(ctx, b.o.Redis, keys, args...).Slice()
	if err != nil {
		return view{}, fmt.Errorf("breaker: %w", err)
	}
	v, err := parseView(reply, asked)
	if err != nil {
		return view{}, err
	}
	b.adopt(v)
	return v, nil
}

func parseView(reply []any, asked time.Time) (view, error) {
	if len(reply) != 6 {
		return view{}, fmt.Errorf("breaker: %d values", len(reply))
	}
	var n [5]int64
	for i := range n {
		v, ok := reply[i].(int64)
		if !ok {
			return view{}, fmt.Errorf("breaker: value %d is no number", i)
		}
		n[i] = v
	}
	reason, _ := reply[5].(string)
	v := view{opens: n[2], gen: n[4], reason: reason, asked: asked}
	if n[1] > 0 {
		v.until = asked.Add(micros(n[1] - n[0]))
	}
	if n[3] > 0 {
		v.closed = asked.Add(micros(n[3] - n[0]))
	}
	return v, nil
}

// adopt takes over what Redis answered, unless a later question has been answered already.
func (b *breaker) adopt(v view) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if v.asked.Before(b.view.asked) {
		return
	}
	if v.gen != b.view.gen {
		b.count = b.newCount(v)
		b.local = time.Time{}
	}
	b.view = v
}

// moved tells whether the breaker has opened or closed since gen, as far as this process knows.
func (b *breaker) moved(gen int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.view.gen != gen || time.Now().Before(b.local)
}

// admission is a breaker's leave for one attempt.
type admission struct {
	breaker *breaker
	gen     int64
	slow    int    // the ramp's factor
	token   string // of a probe; empty for any other attempt
	count   func(error)
	call    uint64 // the call's fingerprint
	began   time.Time
}

// admit lets an attempt through, as the fleet's one probe if the breaker is due for it. It returns how long to wait
// when it does not, and neither when the breaker moved in the meantime.
//
// The probe decides for everybody, so it is never a call that fails by its own fault, and not the one that failed as the
// last probe while another may still come.
func (b *breaker) admit(ctx context.Context, call uint64) (*admission, time.Duration, error) {
	v, err := b.look(ctx)
	if err != nil {
		return nil, 0, err
	}
	a := &admission{breaker: b, gen: v.gen, slow: b.slow(v), call: call, began: time.Now()}
	if !v.until.IsZero() {
		if wait := time.Until(v.until); wait > 0 {
			return nil, wait, nil
		}
		if wait := b.unfit(call, v); wait > 0 {
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
		return nil, b.o.Breakers.Cache, nil // half-open by itself, and another call is trying
	}
	if err != nil {
		count = func(error) {} // the probe's own verdict is what counts
	}
	a.count = count
	return a, 0, nil
}

// unfit returns how long a call must leave the probe to others; 0 when it may be the probe itself.
func (b *breaker) unfit(call uint64, v view) time.Duration {
	first, _ := b.periods()
	if b.faults.own(call) {
		return first
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if call == 0 || call != b.failedProbe {
		return 0
	}
	return max(0, time.Until(v.until.Add(first)))
}

// probe asks for the permission to try. Without it and without a wait, the breaker has moved.
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
		b.forget()
		return 0, nil
	}
	// The probe will end sooner than its permission, as a rule: come back after a call's usual time.
	first, _ := b.periods()
	return max(min(micros(v[1]), first/4), b.o.Breakers.Cache), nil
}

// forget makes the next look ask Redis.
func (b *breaker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.view.asked = time.Time{}
}

// slow returns by what the ramp divides the pace.
func (b *breaker) slow(v view) int {
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

// done tells the breaker how the attempt went.
func (a *admission) done(ctx context.Context, o tebra.Outcome) {
	b := a.breaker
	v := judge(b.scope.kind, o)
	if v == bad && b.faults.own(a.call) {
		v = silent
	}
	switch v {
	case good:
		b.faults.work(a.call, a.began)
		a.count(nil)
	case bad:
		a.count(errCounted)
	case silent, answered:
		a.count(errExcluded)
	}
	switch {
	case v == bad && (a.token != "" || b.tripped()):
		if a.token != "" {
			b.mu.Lock()
			b.failedProbe = a.call
			b.mu.Unlock()
		}
		b.faults.excuse()
		if a.token == "" && a.slow > 1 {
			b.faults.fail(a.call, time.Now()) // alone in the ramp: the next probe will tell whose failure it was
		}
		b.open(ctx, a.gen, o.Code)
	case v == bad:
		b.faults.fail(a.call, time.Now())
	case a.token == "":
	case v == silent:
		a.release(ctx)
	default:
		b.close(ctx, a.gen)
	}
}

func (b *breaker) tripped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count.State() == gobreaker.StateOpen
}

// open publishes that the breaker has tripped. When Redis cannot be told, this process alone refuses for one period.
func (b *breaker) open(ctx context.Context, gen int64, reason tebra.Code) {
	first, longest := b.periods()
	jitter := 800 + rand.Int64N(401)
	_, err := b.run(context.WithoutCancel(ctx), openScript, []string{b.scope.key(), b.scope.key("probe")},
		first.Microseconds(), longest.Microseconds(), jitter,
		(2 * longest).Microseconds(), string(reason), gen, memory.Milliseconds())
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.local = time.Now().Add(first)
	}
}

// close publishes that the probe went well. When Redis cannot be told, the probe's permission ends and another follows.
func (b *breaker) close(ctx context.Context, gen int64) {
	_, _ = b.run(context.WithoutCancel(ctx), closeScript, []string{b.scope.key(), b.scope.key("probe")},
		gen, memory.Milliseconds())
}

func (a *admission) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = releaseScript.Run(ctx, a.breaker.o.Redis, []string{a.breaker.scope.key("probe")}, a.token).Err()
}

func micros(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
