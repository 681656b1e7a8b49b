package flow

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

var (
	down           = tebra.Outcome{Code: tebra.Unavailable}
	timedOut       = tebra.Outcome{Code: tebra.Timeout}
	badCredentials = tebra.Outcome{Code: tebra.Unauthenticated}
	malformed      = tebra.Outcome{Code: tebra.Malformed}
)

// lasting makes breakers stay open for longer than a test runs.
func lasting(o *Options) {
	o.Breakers.Open, o.Breakers.MaxOpen, o.Breakers.Credential = time.Minute, time.Minute, time.Minute
}

// condition returns the fleet's state of one breaker.
func condition(t *testing.T, f *Flow, scope string, ids ...tenant.ID) breaker.State {
	t.Helper()
	states, err := f.States(t.Context(), ids...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Scope == scope {
			return s
		}
	}
	return breaker.State{Name: breaker.Name{Scope: scope}, Condition: breaker.Closed}
}

// Every code against every kind of breaker.
func TestClassify(t *testing.T) {
	t.Parallel()
	codes := []tebra.Code{
		"", tebra.Throttled, tebra.Unauthenticated, tebra.Denied, tebra.Invalid, tebra.NotFound, tebra.Conflict,
		tebra.Unavailable, tebra.Timeout, tebra.Canceled, tebra.Malformed, tebra.Unknown, tebra.Locked, tebra.Merged,
	}
	want := map[scopeKind][]outcome{
		hostScope:       {success, reachable, reachable, reachable, reachable, reachable, reachable, failure, failure, ignored, ignored, ignored, reachable, reachable},
		operationScope:  {success, ignored, ignored, reachable, reachable, reachable, reachable, failure, failure, ignored, ignored, failure, ignored, reachable},
		credentialScope: {success, ignored, failure, reachable, reachable, reachable, reachable, ignored, ignored, ignored, ignored, ignored, failure, reachable},
	}
	for kind, outcomes := range want {
		for i, code := range codes {
			if got := classify(kind, tebra.Outcome{Code: code}); got != outcomes[i] {
				t.Errorf("kind %d, code %q: outcome %d, want %d", kind, code, got, outcomes[i])
			}
			if got := classify(kind, tebra.Outcome{Code: code, Void: true}); got != ignored {
				t.Errorf("kind %d, void %q: outcome %d", kind, code, got)
			}
		}
	}
	unreachable := tebra.Outcome{Code: tebra.Unavailable, NotSent: true}
	if classify(hostScope, unreachable) != failure || classify(operationScope, unreachable) != ignored {
		t.Error("an unreachable vendor must count as a failure for the host alone")
	}
}

// repeatFor makes one attempt of a call that is known to work, as Probe does for a breaker.
func repeatFor(t *testing.T, f *Flow, of *local, c tebra.Call, o tebra.Outcome) {
	t.Helper()
	ctx := context.WithValue(t.Context(), controlKey{}, control{of: of, known: true})
	p, err := f.Enter(ctx, c)
	if err != nil {
		t.Fatalf("enter: %v", err)
	}
	p.Done(ctx, o)
}

// of returns a call of another tenant.
func of(id tenant.ID, c tebra.Call) tebra.Call {
	c.Account = id.String()
	return c
}

// breakerOf returns the breaker of a call's operation.
func breakerOf(f *Flow, c tebra.Call) *local {
	return f.breakers(f.account(tenant.ID(c.Account)), c)[2]
}

// Two calls in a row that are known to work, of two tenants, open the host's breaker for the fleet
// when they fail. No other call does, and no call is sent then.
func TestHostOpens(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		one, two := newFlow(t, rdb, lasting), newFlow(t, rdb, lasting)
		other := of("clinic-b", getPatient())
		call(t, one, other, tebra.Outcome{})
		for n := range uint64(20) { // whatever fails
			call(t, one, withFingerprint(n), []tebra.Outcome{down, timedOut, foreign, {Code: tebra.Unavailable, NotSent: true}}[n%4])
		}
		for range 3 { // one tenant alone
			repeatFor(t, one, one.host, getPatient(), down)
		}
		repeatFor(t, one, one.host, getPatient(), tebra.Outcome{}) // ends the row of failures
		repeatFor(t, one, one.host, other, down)
		repeatFor(t, one, one.host, other, tebra.Outcome{Code: tebra.NotFound}) // not counted
		if c := condition(t, two, "host"); c.Condition != breaker.Closed {
			t.Fatalf("too early: %+v", c)
		}
		began := time.Now()
		repeatFor(t, one, one.host, getPatient(), timedOut)
		for _, f := range []*Flow{one, two} {
			for _, c := range []tebra.Call{getPatient(), other, interactive(other)} {
				before := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val()
				r := refused(t, f, c, codes.Breaker)
				if at, _ := r.NotBefore(); at.Sub(began) < 40*time.Second || r.Scope != "host" {
					t.Errorf("try again after %v because of %s", at.Sub(began), r.Scope)
				}
				if rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val() != before {
					t.Error("an open breaker uses budget")
				}
			}
		}
		c := condition(t, two, "host")
		if time.Since(c.Since) > time.Minute {
			t.Errorf("open since %v", c.Since)
		}
		c.Until, c.Since = time.Time{}, time.Time{}
		want := breaker.State{
			Name: breaker.Name{Scope: "host"}, Condition: breaker.Open, Opens: 1, Reason: "timeout",
			Evidence: "calls of two tenants failed that had worked before",
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Errorf("state (-want +got):\n%s", diff)
		}
	})
}

// A process that knows one tenant finds out about the host by that tenant's calls.
func TestHostOpensForASingleTenant(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), lasting)
	for range witnesses {
		repeatFor(t, f, f.host, getPatient(), down)
	}
	if r := refused(t, f, getPatient(), codes.Breaker); r.Scope != "host" {
		t.Errorf("refused by %s", r.Scope)
	}
}

// Background callers refused by a breaker return one by one, after it may have closed.
func TestBreakerRefusalsAreBooked(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), lasting)
	openHost(t, f, getPatient())
	c := withInterval(getPatient(), 500*time.Millisecond)
	c.Operation = "GetAppointments"
	var last time.Time
	for i := range 10 {
		at, _ := refused(t, f, c, codes.Breaker).NotBefore()
		if gap := at.Sub(last); i > 0 && (gap-600*time.Millisecond).Abs() > 300*time.Millisecond {
			t.Errorf("call %d returns %v after the one before, want 600ms", i, gap)
		}
		last = at
	}
}

// openHost opens the host's breaker.
func openHost(t *testing.T, f *Flow, _ tebra.Call) {
	t.Helper()
	f.host.open(t.Context(), f.host.known().Gen, tebra.Unavailable, "", "a test")
	if s := condition(t, f, "host"); s.Opens != 1 {
		t.Fatalf("not open: %+v", s)
	}
}

// The reply to an earlier request must not replace the reply to a later one.
func TestAdoptKeepsTheLatest(t *testing.T) {
	t.Parallel()
	b := newFlow(t, redistest.New(t)).host
	now := time.Now()
	b.adopt(breaker.Shared{Gen: 2, Asked: now})
	b.adopt(breaker.Shared{Gen: 1, Asked: now.Add(-time.Second)})
	if b.changed(2) {
		t.Error("an old reply was adopted")
	}
	b.adopt(breaker.Shared{Gen: 0, Asked: now.Add(time.Second)}) // Redis has lost its data
	if b.changed(0) {
		t.Error("a new reply was not adopted")
	}
}

// After a closing, the pace returns in steps.
func TestRamp(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb, func(o *Options) { o.Breakers.Ramp = 5 * time.Second })
	b := f.host
	for since, want := range map[int]int{0: 4, 4_900: 4, 5_100: 2, 9_900: 2, 10_100: 1, math.MaxInt32: 1} {
		if got := b.slowdown(breaker.Shared{Closed: time.Now().Add(-time.Duration(since) * time.Millisecond)}); got != want {
			t.Errorf("%d ms after closing the pace is divided by %d, want %d", since, got, want)
		}
	}
	if got := b.slowdown(breaker.Shared{}); got != 1 {
		t.Errorf("a breaker that never opened divides the pace by %d", got)
	}
	openHost(t, f, getPatient())
	awaitProbe(t, f)
	call(t, f, getPatient(), tebra.Outcome{})
	call(t, f, withInterval(getPatient(), 50*time.Millisecond), tebra.Outcome{})
	budget := rdb.HGetAll(t.Context(), paceKey(clinic, "GetPatient")).Val()
	next, _ := strconv.ParseInt(budget["next"], 10, 64)
	sent, _ := strconv.ParseInt(budget["sent"], 10, 64)
	if gap := micros(next - sent); gap != 4*90*time.Millisecond {
		t.Errorf("in the ramp a slot takes %v, want four times 90ms", gap)
	}
}

// Refused credentials open the breaker of their tenant at once, and no other tenant's.
func TestRefusedCredentialsOpenOneTenant(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		one, two := newFlow(t, rdb, lasting), newFlow(t, rdb, lasting)
		other := getPatient()
		other.Account = "clinic-b"
		call(t, one, getPatient(), badCredentials)
		list := tebra.Call{Account: clinic.String(), Operation: "GetProviders", Class: tebra.ReadList, Interval: time.Millisecond}
		for _, f := range []*Flow{one, two} {
			if r := refused(t, f, list, codes.Breaker); r.Scope != "credential" {
				t.Errorf("refused by %s", r.Scope)
			}
			call(t, f, other, tebra.Outcome{})
		}
		s := condition(t, two, "credential", clinic, "clinic-b")
		if s.Condition != breaker.Open || s.Tenant != clinic || s.Reason != "unauthenticated" {
			t.Errorf("state: %+v", s)
		}
	})
}

// A response that cannot be read is no outage, however many calls get one.
func TestMalformedResponsesOpenNothing(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), lasting)
	for n := range uint64(30) {
		call(t, f, withFingerprint(n), malformed)
	}
	call(t, f, getPatient(), tebra.Outcome{})
	if states, err := f.States(t.Context(), clinic); err != nil || slices.ContainsFunc(states, func(s breaker.State) bool { return s.Condition != breaker.Closed }) {
		t.Errorf("%+v, %v", states, err)
	}
}

// An operation opens for its tenant when a call of it that is known to work fails twice in a row.
// Calls of other operations go on.
func TestOperationOpens(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, lasting)
		b := breakerOf(f, getPatient())
		for n := range uint64(20) {
			call(t, f, withFingerprint(n), down)
		}
		repeatFor(t, f, b, getPatient(), down)
		repeatFor(t, f, b, getPatient(), tebra.Outcome{})
		repeatFor(t, f, b, getPatient(), tebra.Outcome{Code: tebra.Unknown})
		if s := condition(t, f, "GetPatient", clinic); s.Condition != breaker.Closed {
			t.Fatalf("too early: %+v", s)
		}
		repeatFor(t, f, b, getPatient(), timedOut)
		if r := refused(t, f, getPatient(), codes.Breaker); r.Scope != "GetPatient" || r.Breaker() != b.Name {
			t.Errorf("refused by %s", r.Breaker())
		}
		call(t, f, tebra.Call{Account: clinic.String(), Operation: "GetProviders", Class: tebra.ReadList, Interval: time.Millisecond}, tebra.Outcome{})
		call(t, f, of("clinic-b", getPatient()), tebra.Outcome{})
	})
}

// An operation that changes something has no call to repeat: different calls that fail in a row
// open it, and the same one does not.
func TestWriteOpens(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), lasting)
	write := tebra.Call{Account: clinic.String(), Operation: "UpdateAppointment", Class: tebra.Write, Interval: time.Millisecond}
	for _, n := range []uint64{1, 1, 1, 1, 2} {
		write.Fingerprint = n
		call(t, f, write, down)
	}
	write.Fingerprint = 3
	call(t, f, write, down)
	if r := refused(t, f, write, codes.Breaker); r.Scope != "UpdateAppointment" {
		t.Errorf("refused by %s", r.Scope)
	}
}

// Callers that wait for their slots when a breaker opens do not call.
func TestOpeningReachesWaitingCallers(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb, lasting)
	c := withInterval(getPatient(), 300*time.Millisecond)
	fast := getPatient()
	fast.Operation = "GetProviders"
	fast.Account = "clinic-b"
	repeatFor(t, f, f.host, of("clinic-c", fast), down)
	ctx := context.WithValue(t.Context(), controlKey{}, control{of: f.host, known: true})
	last, err := f.Enter(ctx, fast)
	if err != nil {
		t.Fatal(err)
	}
	call(t, f, c, tebra.Outcome{Code: tebra.NotFound})
	done := make(chan error, 1)
	go func() {
		p, err := f.Enter(t.Context(), c)
		if err == nil {
			p.Done(t.Context(), tebra.Outcome{})
		}
		done <- err
	}()
	waiting(t, f, 1)
	last.Done(t.Context(), down)
	var r *Refused
	if err := <-done; !errors.As(err, &r) || r.Reason != codes.Breaker {
		t.Errorf("after the breaker had opened: %v", err)
	}
}

// Evidence from before the last opening must not extend it.
func TestLateFailuresDoNotExtendAnOutage(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	ctx := context.WithValue(t.Context(), controlKey{}, control{of: f.host, known: true})
	permits := make([]tebra.Pass, 6)
	for i := range permits {
		p, err := f.Enter(ctx, of([]tenant.ID{"clinic-a", "clinic-b"}[i%2], getPatient()))
		if err != nil {
			t.Fatal(err)
		}
		permits[i] = p
	}
	for _, p := range permits {
		p.Done(ctx, down)
	}
	if s := condition(t, f, "host"); s.Opens != 1 {
		t.Errorf("%d openings of one outage", s.Opens)
	}
}

// When Redis is unreachable, this process alone obeys its own conclusion.
func TestProcessTripsAloneWithoutRedis(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t), func(o *Options) { o.Breakers.Open = 600 * time.Millisecond })
	b := f.host
	ctx := context.WithValue(t.Context(), controlKey{}, control{of: b, known: true})
	var permits []tebra.Pass
	for range witnesses {
		p, err := f.Enter(ctx, getPatient())
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, p)
	}
	healthy := b.o.Redis
	b.o.Redis = closedClient(t)
	for _, p := range permits {
		p.Done(t.Context(), down)
	}
	b.o.Redis = healthy
	if s := condition(t, f, "host"); s.Condition != breaker.Closed {
		t.Fatalf("published after all: %+v", s)
	}
	at, _ := refused(t, f, interactive(getPatient()), codes.Breaker).NotBefore()
	waitUntil(t, at.Add(50*time.Millisecond))
	call(t, f, getPatient(), tebra.Outcome{}) // its own trial, which succeeds
	call(t, f, getPatient(), tebra.Outcome{})
}

func closedClient(t *testing.T) *redis.Client {
	t.Helper()
	c := redistest.New(t)
	_ = c.Close()
	return c
}

// After many callers with all outcomes in two processes, every place is released.
func TestEverythingTakenIsReleased(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	outcomes := []tebra.Outcome{
		{},
		{},
		{},
		down, timedOut,
		{Void: true, NotSent: true},
		{Code: tebra.Throttled},
		{Code: tebra.NotFound},
		{Code: tebra.Canceled},
		{Code: tebra.Unavailable, NotSent: true},
	}
	flows := []*Flow{newFlow(t, rdb), newFlow(t, rdb)}
	for _, f := range flows {
		f.options.MaxWait = 100 * time.Millisecond
	}
	var granted atomic.Int64
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 15 {
				c := getPatient()
				c.Interactive = (i+j)%3 == 0
				if p, err := flows[i%2].Enter(t.Context(), c); err == nil {
					granted.Add(1)
					p.Done(t.Context(), outcomes[(i*7+j)%len(outcomes)])
				}
			}
		})
	}
	wg.Wait()
	if granted.Load() == 0 {
		t.Error("nothing was granted")
	}
	for _, f := range flows {
		if n := inFlight(f); n != 0 {
			t.Errorf("%d places were not released", n)
		}
	}
}
