package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
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
	// HostFailures in a row, of any tenant, open the host's breaker. Defaults to 3.
	HostFailures int
	// ClassFailures in a row, or half of at least twice as many calls within a minute, open a
	// class's breaker. Defaults to 5.
	ClassFailures int
	// Open is how long a breaker stays open at first. It doubles with each further opening, up to
	// MaxOpen. Both vary by a fifth in both directions. Default to 15 s and 5 min.
	Open, MaxOpen time.Duration
	// Credential and MaxCredential are the same for refused credentials. Default to 5 min and 1 h.
	Credential, MaxCredential time.Duration
	// Probe is how long a probe without an outcome blocks the next one. Defaults to 45 s: longer
	// than any call.
	Probe time.Duration
	// Ramp is the length of each of the two steps after closing: a quarter, then half of the pace.
	// Defaults to 15 s.
	Ramp time.Duration
	// Cache is how old a process's copy of a breaker's state may be. Defaults to 250 ms.
	Cache time.Duration
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxWait, 2*time.Second)
	orDefault(&o.Slots, 32)
	b := &o.Breakers
	orDefault(&b.HostFailures, 3)
	orDefault(&b.ClassFailures, 5)
	orDefault(&b.Open, 15*time.Second)
	orDefault(&b.MaxOpen, 5*time.Minute)
	orDefault(&b.Credential, 5*time.Minute)
	orDefault(&b.MaxCredential, time.Hour)
	orDefault(&b.Probe, 45*time.Second)
	orDefault(&b.Ramp, 15*time.Second)
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
	case o.Slots < 0 || b.HostFailures < 0 || b.ClassFailures < 0:
		return errors.New("flow: a negative count in Options")
	case b.MaxOpen < b.Open || b.MaxCredential < b.Credential:
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
	host     *breaker

	draining context.Context //nolint:containedctx // ends with Drain
	drain    context.CancelFunc

	mu      sync.Mutex
	tenants map[tenant.ID]*account // one entry per tenant of the ledger, of which there are few
}

var _ tebra.Gate = (*Flow)(nil)

// account holds the share of the places in flight and the breakers of one tenant.
type account struct {
	share      *share
	credential *breaker
	classes    [tebra.System + 1]*breaker // by class; nil for the zero class
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
		host:     newBreaker(o, scope{kind: hostScope}),
		tenants:  make(map[tenant.ID]*account),
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
			credential: newBreaker(f.options, scope{kind: credentialScope, tenant: id}),
		}
		for c := tebra.ReadOne; c <= tebra.System; c++ {
			a.classes[c] = newBreaker(f.options, scope{kind: classScope, tenant: id, class: c})
		}
		f.tenants[id] = a
	}
	return a
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
		breakers: []*breaker{f.host, account.credential, account.classes[c.Class]},
		deadline: time.Now().Add(f.options.MaxWait),
	}
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
