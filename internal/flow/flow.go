package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Options configures a Flow. Everything but Redis has a default that suits the vendor; demos and
// tests scale it.
type Options struct {
	// Redis is the queue's: losing its keys costs a moment of caution, evicting them would cost
	// throttles. Required.
	Redis redis.UniversalClient
	// MaxWait is how long a caller may wait for its slot. Defaults to 2 s.
	MaxWait time.Duration
	// MinMargin and Horizon are those of [budget.Options].
	MinMargin, Horizon time.Duration
	// Slots is how many background calls this process can have in flight: one for each slot of its
	// worker. Defaults to 32.
	Slots int
	// Breakers configures when breakers open and for how long.
	Breakers Breakers
}

// Breakers configures the breakers.
type Breakers struct {
	// Failures since the last success, of the host or of an operation, are enough to repeat a call
	// that is known to work, which decides. So many calls in a row that change something, and that
	// failed, open their operation's breaker. Defaults to 3.
	Failures int
	// Open is how long a breaker stays open at first. It doubles with each further opening, up to
	// MaxOpen. Both vary by a fifth in both directions. Default to 5 s and 25 s.
	Open, MaxOpen time.Duration
	// Credential is how long a refused login is not used, or up to a fifth longer. Defaults to 1 h.
	Credential time.Duration
	// Probe is how long a probe without an outcome blocks the next one. Defaults to 45 s: longer
	// than any call.
	Probe time.Duration
	// Ramp is the length of each of the two steps after closing: a quarter, then half of the pace.
	// Defaults to 2.5 s.
	Ramp time.Duration
	// Cache is how old a process's copy of a breaker's state may be. Defaults to 250 ms.
	Cache time.Duration
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxWait, 2*time.Second)
	orDefault(&o.Slots, 32)
	b := &o.Breakers
	orDefault(&b.Failures, 3)
	orDefault(&b.Open, 5*time.Second)
	orDefault(&b.MaxOpen, 25*time.Second)
	orDefault(&b.Credential, time.Hour)
	orDefault(&b.Probe, 45*time.Second)
	orDefault(&b.Ramp, 2500*time.Millisecond)
	orDefault(&b.Cache, 250*time.Millisecond)
	return o
}

func orDefault[T int | time.Duration](v *T, otherwise T) {
	if *v == 0 {
		*v = otherwise
	}
}

func (o Options) check() error {
	b := o.Breakers
	for _, d := range []time.Duration{
		o.MaxWait, b.Open, b.Credential, b.Probe, b.Ramp, b.Cache,
	} {
		if d < 0 {
			return errors.New("flow: a negative duration in Options")
		}
	}
	switch {
	case o.Redis == nil:
		return errors.New("flow: Options.Redis is required")
	case o.Slots < 0 || b.Failures < 0:
		return errors.New("flow: a negative count in Options")
	case b.MaxOpen < b.Open:
		return errors.New("flow: a breaker's longest period is shorter than its first")
	}
	return nil
}

// Flow is the gate of one process. All processes on one Redis share its budgets and breakers. It
// starts no goroutine and needs no closing. It is safe for concurrent use.
type Flow struct {
	options  Options
	pace     *budget.Pace
	calendar *budget.Calendar
	places   *places
	fleet    *fleet
	host     *local

	probing atomic.Bool   // Probe runs
	nudge   chan struct{} // for Probe: something has changed

	draining context.Context //nolint:containedctx // ends with Drain
	drain    context.CancelFunc

	mu      sync.Mutex
	tenants map[tenant.ID]*account // one entry per tenant of the ledger, of which there are few
	watch   map[*local]struct{}    // for Probe: what is open or suspicious, besides the host
}

var _ tebra.Gate = (*Flow)(nil)

// account holds the share of the places in flight, the breakers and the calls that are known to
// work of one tenant.
type account struct {
	share      *share
	credential *local
	operations map[string]*local // as many as the vendor's client has
	worked     map[string]worked // by operation
	resting    time.Time         // until when no call is repeated: the last one could not be sent
}

// New returns a Flow. It does not connect to Redis yet.
func New(o Options) (*Flow, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	shared := budget.Options{
		Redis: o.Redis, MaxWait: o.MaxWait, MinMargin: o.MinMargin, Horizon: o.Horizon,
	}
	pace, err := budget.NewPace(shared)
	if err != nil {
		return nil, err
	}
	calendar, err := budget.NewCalendar(shared)
	if err != nil {
		return nil, err
	}
	f := &Flow{
		options:  o,
		pace:     pace,
		calendar: calendar,
		places:   newPlaces(o.Slots),
		fleet:    &fleet{rdb: o.Redis, waitLife: waitLife},
		host:     newLocal(o, hostScope, breaker.Name{Scope: breaker.Host}),
		nudge:    make(chan struct{}, 1),
		tenants:  make(map[tenant.ID]*account),
		watch:    make(map[*local]struct{}),
	}
	f.draining, f.drain = context.WithCancel(context.Background())
	return f, nil
}

// Drain lets no more calls through: those that wait and those that come later are refused with
// codes.Draining. Calls that have their permit continue.
func (f *Flow) Drain() { f.drain() }

func (f *Flow) account(id tenant.ID) *account {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := f.tenants[id]
	if a == nil {
		a = &account{
			share:      &share{tenant: id, weight: 1},
			credential: newLocal(f.options, credentialScope, breaker.Name{Tenant: id, Scope: breaker.Credential}),
			operations: map[string]*local{},
		}
		f.tenants[id] = a
	}
	return a
}

// breakers returns what a call needs to be closed.
func (f *Flow) breakers(a *account, c tebra.Call) []*local {
	f.mu.Lock()
	defer f.mu.Unlock()
	op := a.operations[c.Operation]
	if op == nil {
		op = newLocal(f.options, operationScope, breaker.Name{Tenant: a.share.tenant, Scope: c.Operation})
		op.write = c.Class == tebra.Write
		a.operations[c.Operation] = op
	}
	return []*local{f.host, a.credential, op}
}

// hasOne reports whether this process knows a single tenant.
func (f *Flow) hasOne() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tenants) == 1
}

// SetWeight sets a tenant's share of the places in flight while tenants compete for them, relative
// to the others. It is 1 at first; a weight below 1 counts as 1.
func (f *Flow) SetWeight(id tenant.ID, weight int) { f.places.weigh(f.account(id).share, weight) }

// maxTries limits how often one Enter starts again because its grant became invalid while it
// waited.
const maxTries = 4

// Enter waits until the call may be sent, at most Options.MaxWait, or returns a [*Refused] that
// carries the time to try again. Other errors are the context's, or report that the call itself is
// invalid.
func (f *Flow) Enter(ctx context.Context, c tebra.Call) (tebra.Pass, error) {
	id, err := tenant.Parse(c.Account)
	if err != nil {
		return nil, fmt.Errorf("enter: account: %w", err)
	}
	if c.Class < tebra.ReadOne || c.Class > tebra.System || c.Operation == "" {
		return nil, errors.New("enter: call without a class or an operation")
	}
	if c.Interval <= 0 {
		return nil, errors.New("enter: call without an interval")
	}
	account := f.account(id)
	e := entry{
		flow: f, call: c, budget: budget.Operation{Tenant: id, Name: c.Operation, Interval: c.Interval}, share: account.share,
		breakers: f.breakers(account, c), deadline: time.Now().Add(f.options.MaxWait),
	}
	e.control, _ = ctx.Value(controlKey{}).(control)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.draining, cancel)() // ends every wait
	p, err := e.enter(ctx)
	if f.draining.Err() == nil {
		return p, err
	}
	if p, ok := p.(*permit); ok {
		p.undo(ctx)
	}
	return nil, e.refusal(codes.Draining, "", 0)
}

// SetIntervals stores what the vendor's own GetThrottles reports, by operation, for all processes.
// See [budget.Pace.SetIntervals].
func (f *Flow) SetIntervals(ctx context.Context, id tenant.ID, intervals map[string]time.Duration) error {
	return f.pace.SetIntervals(ctx, id, intervals)
}

// between returns a random duration from low to high, so that callers refused at the same time do
// not return together.
func between(low, high time.Duration) time.Duration {
	return low + time.Duration(rand.Int64N(int64(high-low)+1))
}
