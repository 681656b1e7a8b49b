package flow

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const clinic = tenant.ID("clinic-a")

// onBothServers runs a test on redis-server and on the embedded one, because the scripts must do
// the same on both.
func onBothServers(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redistest.New(t)) })
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, redistest.Mini(t)) })
}

// fastBreakers have short periods. Their cache is short, so that processes agree at once.
var fastBreakers = Breakers{
	Open: 300 * time.Millisecond, MaxOpen: 1200 * time.Millisecond, Credential: 300 * time.Millisecond, Ramp: 400 * time.Millisecond, Probe: 3 * time.Second, Cache: time.Millisecond,
}

func newFlow(t *testing.T, rdb redis.UniversalClient, change ...func(*Options)) *Flow {
	t.Helper()
	o := Options{Redis: rdb, MinMargin: 40 * time.Millisecond, Breakers: fastBreakers}
	for _, c := range change {
		c(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// getPatient is a background call whose pace hardly delays a test.
func getPatient() tebra.Call {
	return tebra.Call{
		Account: clinic.String(), Operation: "GetPatient", Class: tebra.ReadOne, Interval: 2 * time.Millisecond,
	}
}

func withInterval(c tebra.Call, interval time.Duration) tebra.Call {
	c.Interval = interval
	return c
}

func interactive(c tebra.Call) tebra.Call {
	c.Interactive = true
	return c
}

// paceKey is where the budget of an operation is stored.
func paceKey(id tenant.ID, operation string) string { return id.Key("f1", "p", operation) }

// enter returns a permit and fails the test when the call is refused.
func enter(t *testing.T, f *Flow, c tebra.Call) *permit {
	t.Helper()
	p, err := f.Enter(t.Context(), c)
	if err != nil {
		t.Fatalf("enter: %v", err)
	}
	return p.(*permit)
}

// call makes one attempt with the given outcome. A slot that is too far away to wait for, as after
// the ramp, is tried again.
func call(t *testing.T, f *Flow, c tebra.Call, o tebra.Outcome) {
	t.Helper()
	for range 3 {
		p, err := f.Enter(t.Context(), c)
		var r *Refused
		if errors.As(err, &r) && r.Reason == codes.Pace {
			at, _ := r.NotBefore()
			waitUntil(t, at)
			continue
		}
		if err != nil {
			t.Fatalf("enter: %v", err)
		}
		p.Done(t.Context(), o)
		return
	}
	t.Fatal("no slot")
}

// refused enters and fails the test unless the call is refused for the given reason.
func refused(t *testing.T, f *Flow, c tebra.Call, why codes.Code) *Refused {
	t.Helper()
	p, err := f.Enter(t.Context(), c)
	if err == nil {
		p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
		t.Fatalf("granted, want a refusal for %s", why)
	}
	var r *Refused
	if !errors.As(err, &r) || r.Reason != why {
		t.Fatalf("enter: %v, want a refusal for %s", err, why)
	}
	at, reason := r.NotBefore()
	if !at.After(time.Now().Add(-time.Second)) || reason != string(why) {
		t.Fatalf("try again at %v because of %q", at, reason)
	}
	return r
}

// waitUntil waits for a moment of the real clock, which Redis uses too.
func waitUntil(t *testing.T, at time.Time) {
	t.Helper()
	if err := sleep(t.Context(), time.Until(at)); err != nil {
		t.Fatal(err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for name, o := range map[string]Options{
		"no redis":        {},
		"negative wait":   {Redis: rdb, MaxWait: -1},
		"negative margin": {Redis: rdb, MinMargin: -1},
		"negative slots":  {Redis: rdb, Slots: -1},
		"negative trip":   {Redis: rdb, Breakers: Breakers{Failures: -3}},
		"negative ramp":   {Redis: rdb, Breakers: Breakers{Ramp: -1}},
		"shrinking":       {Redis: rdb, Breakers: Breakers{Open: time.Hour}},
		"negative hour":   {Redis: rdb, Breakers: Breakers{Credential: -1}},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	f, err := New(Options{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	if o := f.options; o.MaxWait != 2*time.Second || o.Slots != 32 || o.Breakers.Open != 5*time.Second ||
		o.Breakers.MaxOpen*6/5 != 30*time.Second || o.Breakers.Cache != 250*time.Millisecond {
		t.Errorf("defaults: %+v", o)
	}
}

func TestEnterRefusesInvalidCalls(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	for name, spoil := range map[string]func(*tebra.Call){
		"no account":    func(c *tebra.Call) { c.Account = "" },
		"other account": func(c *tebra.Call) { c.Account = "a}b" },
		"no operation":  func(c *tebra.Call) { c.Operation = "" },
		"no class":      func(c *tebra.Call) { c.Class = 0 },
		"unknown class": func(c *tebra.Call) { c.Class = 9 },
		"no interval":   func(c *tebra.Call) { c.Interval = 0 },
	} {
		c := getPatient()
		spoil(&c)
		p, err := f.Enter(t.Context(), c)
		var r *Refused
		if p != nil || err == nil || errors.As(err, &r) {
			t.Errorf("%s: %v, %v; want an error that is not a refusal", name, p, err)
		}
	}
}

// inFlight returns how many places the clinic's callers have.
func inFlight(f *Flow) int {
	f.places.mu.Lock()
	defer f.places.mu.Unlock()
	n := f.places.present[f.account(clinic).share]
	return n.background + n.interactive
}

// waiting waits until n callers of the clinic have a place.
func waiting(t *testing.T, f *Flow, n int) {
	t.Helper()
	for inFlight(f) < n {
		waitUntil(t, time.Now().Add(time.Millisecond))
	}
}

func TestCanceledCallerRefundsItsSlot(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := withInterval(getPatient(), 500*time.Millisecond)
		call(t, f, c, tebra.Outcome{})
		before := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val()

		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := f.Enter(ctx, c)
			done <- err
		}()
		for rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val() == before {
			waitUntil(t, time.Now().Add(time.Millisecond))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("enter: %v", err)
		}
		if after := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val(); after != before {
			t.Error("the slot of a canceled caller was not refunded")
		}
		if _, err := f.Enter(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("entering with a canceled context: %v", err)
		}
		if n := inFlight(f); n != 0 {
			t.Errorf("%d places were not released", n)
		}
	})
}

// A caller whose own deadline is nearer than the slot is refused at once, and acquires no slot.
func TestDeadlineBeforeSlotRefuses(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	c := interactive(withInterval(getPatient(), 500*time.Millisecond))
	call(t, f, c, tebra.Outcome{})
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	var r *Refused
	if _, err := f.Enter(ctx, c); !errors.As(err, &r) || r.Reason != codes.Pace {
		t.Errorf("enter: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("waited although the slot was out of reach")
	}
}

func TestInFlightCap(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), func(o *Options) { o.Slots = 6 })
	other := getPatient()
	other.Account = "clinic-b"
	permits := []*permit{enter(t, f, getPatient()), enter(t, f, getPatient()), enter(t, f, getPatient())}
	at, _ := refused(t, f, getPatient(), codes.InFlight).NotBefore()  // half of the slots are for others
	permits = append(permits, enter(t, f, interactive(getPatient()))) // this call needs no slot of the background
	if second, _ := refused(t, f, getPatient(), codes.InFlight).NotBefore(); !second.After(at) {
		t.Errorf("the second refused caller may return at %v, the first at %v", second, at)
	}
	permits = append(permits, enter(t, f, other)) // another tenant
	for _, p := range permits {
		p.Done(t.Context(), tebra.Outcome{Latency: time.Millisecond})
		p.Done(t.Context(), tebra.Outcome{Latency: time.Hour}) // a second Done releases nothing
	}
	if n := inFlight(f); n != 0 || f.places.held != 0 || len(f.places.present) != 0 {
		t.Errorf("%d and %d places are in use at the end", n, f.places.held)
	}
	got := f.account(clinic).share.load.operations["GetPatient"]
	if got.latency != time.Millisecond || got.spacing <= getPatient().Interval || got.spacing > time.Second {
		t.Errorf("the mean latency is %v, the spacing %v; it includes a margin", got.latency, got.spacing)
	}
}

// A vendor that hangs for a tenant is not given more calls at once.
func TestHangingVendorGetsNoMoreCalls(t *testing.T) {
	t.Parallel()
	for name, latency := range map[string]time.Duration{"known latency": 300 * time.Millisecond, "no latency known": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlow(t, redistest.New(t))
			s := f.account(clinic).share
			call(t, f, getPatient(), tebra.Outcome{Latency: latency})
			before := f.places.most(s)
			for _, code := range []tebra.Code{tebra.Timeout, tebra.Canceled, tebra.Unavailable, tebra.Throttled} {
				p := enter(t, f, getPatient())
				p.Done(t.Context(), tebra.Outcome{Code: code, Latency: time.Hour})
			}
			if after := f.places.most(s); after != before {
				t.Errorf("%d calls were allowed, and after calls that failed %d", before, after)
			}
			if o := s.load.operations["GetPatient"]; o.latency != latency {
				t.Errorf("the mean latency is %v", o.latency)
			}
		})
	}
}

// A heavier tenant that waits may have more calls in flight than a lighter one.
func TestSetWeight(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), func(o *Options) { o.Slots = 40 })
	fill := func(c tebra.Call) (n int) {
		for ; ; n++ {
			p, err := f.Enter(t.Context(), c)
			var r *Refused
			if errors.As(err, &r) && r.Reason == codes.InFlight {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Done(context.WithoutCancel(t.Context()), tebra.Outcome{}) })
		}
	}
	other := getPatient()
	other.Account = "clinic-b"
	f.SetWeight(clinic, 3)
	heavy := fill(getPatient())
	f.places.request(f.account(clinic).share, getPatient()) // weights count while their tenants wait
	if light := fill(other); heavy != 20 || light != 5 {
		t.Errorf("the heavy tenant has %d calls in flight, the light one %d; want 20, 5", heavy, light)
	}
	f.SetWeight("clinic-b", 3)
	if more := fill(other); more != 5 {
		t.Errorf("with the same weight, it got %d more; want 5", more)
	}
}

func TestRefusedError(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		r    Refused
		want string
	}{
		{Refused{Reason: codes.Pace}, "not now: pace"},
		{Refused{Reason: codes.Breaker, Scope: "host"}, "not now: breaker host"},
	} {
		if got := fmt.Sprint(&tc.r); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
	var knows interface{ NotBefore() (time.Time, string) }
	if !errors.As(fmt.Errorf("call: %w", &Refused{}), &knows) {
		t.Error("a wrapped refusal is not recognized")
	}
}
