package flow

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// answerer answers calls, and repeats for a Probe those that have worked.
type answerer struct {
	flow *Flow

	mu     sync.Mutex
	answer func(tebra.Call) tebra.Outcome
	worked map[string]tebra.Call // by tenant and operation
	sent   []tebra.Call          // what a Probe has repeated
	gone   tenant.ID             // cannot be asked
	repeat chan struct{}         // one for each of them
}

func newAnswerer(f *Flow) *answerer {
	return &answerer{flow: f, answer: func(tebra.Call) tebra.Outcome { return works }, worked: map[string]tebra.Call{}, repeat: make(chan struct{}, 1000)}
}

func (v *answerer) set(answer func(tebra.Call) tebra.Outcome) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answer = answer
}

// call sends a call. ok is false if flow control refuses it.
func (v *answerer) call(ctx context.Context, c tebra.Call) (o tebra.Outcome, ok bool) {
	p, err := v.flow.Enter(ctx, c)
	if err != nil {
		return o, false
	}
	v.mu.Lock()
	o = v.answer(c)
	if o.Code == "" {
		v.worked[c.Account+c.Operation] = c
	}
	v.mu.Unlock()
	o.Latency = max(o.Latency, time.Millisecond)
	p.Done(ctx, o)
	return o, true
}

// probe is the Repeat of a Probe.
func (v *answerer) probe(ctx context.Context, id tenant.ID, operation string) error {
	v.mu.Lock()
	c, known := v.worked[id.String()+operation]
	if !known && operation == bare {
		c, known = tebra.Call{Account: id.String(), Operation: bare, Class: tebra.System, Interval: time.Millisecond}, true
	}
	if known = known && id != v.gone; known {
		v.sent = append(v.sent, c)
	}
	v.mu.Unlock()
	if !known {
		return tebra.ErrNothingToRepeat
	}
	_, sent := v.call(ctx, interactive(c))
	v.repeat <- struct{}{}
	if !sent {
		return errors.New("refused")
	}
	return nil
}

func (v *answerer) repeated() []tebra.Call {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.sent)
}

// probing runs a Probe for the length of the test.
func (v *answerer) probing(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = v.flow.Probe(ctx, v.probe)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// openings returns the breakers that have ever been open.
func openings(t interface{ Fatal(args ...any) }, f *Flow, ids ...tenant.ID) (out []string) {
	all, err := breaker.Inspect(context.Background(), f.options.Redis, time.Hour, BreakerNames(ids...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Opens > 0 {
			out = append(out, s.Name.String())
		}
	}
	return out
}

// failures are the ways in which a record can fail.
var failures = []tebra.Outcome{
	fails, foreign, timedOut, malformed,
	{Code: tebra.Unknown},
	{Code: tebra.Invalid},
	{Code: tebra.NotFound},
	{Code: tebra.Unavailable, NotSent: true},
}

// For any mix of records that always fail and a vendor that is healthy, no breaker opens, and no
// call is refused by one.
func TestBadRecordsOpenNothing(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	ids := []tenant.ID{"clinic-a", "clinic-b", "clinic-c"}
	rapid.Check(t, func(t *rapid.T) {
		if err := rdb.FlushDB(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		f, err := New(Options{Redis: rdb, MinMargin: time.Millisecond, Breakers: fastBreakers})
		if err != nil {
			t.Fatal(err)
		}
		v := newAnswerer(f)
		bad := map[string]tebra.Outcome{}
		v.answer = func(c tebra.Call) tebra.Outcome { return bad[fmt.Sprint(c.Account, c.Operation, c.Fingerprint)] }
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); _ = f.Probe(ctx, v.probe) }()
		defer func() { cancel(); <-done }()
		share := rapid.IntRange(0, 100).Draw(t, "percentage of bad records")
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			c := of(rapid.SampledFrom(ids).Draw(t, "tenant"), withFingerprint(rapid.Uint64Range(1, 30).Draw(t, "record")))
			if rapid.Bool().Draw(t, "list") {
				c.Operation, c.Class = "GetAppointments", tebra.ReadList
			}
			name := fmt.Sprint(c.Account, c.Operation, c.Fingerprint)
			if _, known := bad[name]; !known {
				o := works
				if rapid.IntRange(1, 100).Draw(t, "health") <= share {
					o = rapid.SampledFrom(failures).Draw(t, "failure")
				}
				v.mu.Lock() // a repeated call reads it
				bad[name] = o
				v.mu.Unlock()
			}
			if _, ok := v.call(ctx, interactive(c)); !ok {
				t.Fatalf("%v is refused", name)
			}
		}
		if out := openings(t, f, ids...); len(out) > 0 {
			t.Fatalf("opened: %v", out)
		}
	})
}

// outage is what a test of an outage begins with: two processes, and three tenants whose calls have
// worked in both.
func outage(t *testing.T, rdb redis.UniversalClient, change ...func(*Options)) []*answerer {
	t.Helper()
	all := []*answerer{newAnswerer(newFlow(t, rdb, change...)), newAnswerer(newFlow(t, rdb, change...))}
	for _, v := range all {
		v.probing(t)
		for i, id := range []tenant.ID{"clinic-a", "clinic-b", "clinic-c"} {
			if _, ok := v.call(t.Context(), of(id, withFingerprint(uint64(i)+1))); !ok {
				t.Fatal("refused")
			}
		}
	}
	return all
}

// until makes calls until the breaker is in a condition. The calls ask for records that are known
// nowhere.
func until(t *testing.T, v *answerer, scope string, want breaker.Condition, c tebra.Call) {
	t.Helper()
	for n := uint64(100); ; n++ {
		if condition(t, v.flow, scope, clinic, "clinic-b").Condition == want {
			return
		}
		c.Fingerprint = n
		_, _ = v.call(t.Context(), c)
		select {
		case <-v.repeat:
		case <-time.After(20 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatalf("%s is not %s", scope, want)
		}
	}
}

// An outage of the host opens its breaker and no other. While it lasts, few calls are sent, by one
// process at a time, and not the same one again and again. Its end is noticed within one open
// period.
func TestOutageOpensTheHostAlone(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]tebra.Outcome{
		"status": foreign, "connection": {Code: tebra.Unavailable, NotSent: true}, "fault": fails, "timeout": timedOut,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := outage(t, redistest.New(t))
			for _, v := range all {
				v.set(func(tebra.Call) tebra.Outcome { return o })
			}
			until(t, all[0], "host", breaker.Open, getPatient())
			before := len(all[0].repeated()) + len(all[1].repeated())
			over := time.Now().Add(2 * time.Second)
			for time.Now().Before(over) { // one by one, as the probes become due
				select {
				case <-all[0].repeat:
				case <-all[1].repeat:
				case <-time.After(time.Until(over)):
				}
			}
			probes := append(all[0].repeated(), all[1].repeated()...)[before:]
			if len(probes) < 1 || len(probes) > 5 {
				t.Errorf("%d probes in two seconds", len(probes))
			}
			for _, v := range all {
				v.set(func(tebra.Call) tebra.Outcome { return works })
			}
			back := time.Now()
			for condition(t, all[0].flow, "host").Condition != breaker.Ramp {
				select {
				case <-all[0].repeat:
				case <-all[1].repeat:
				case <-time.After(10 * time.Millisecond):
				}
			}
			if noticed := time.Since(back); noticed > fastBreakers.MaxOpen*6/5+time.Second {
				t.Errorf("noticed after %v", noticed)
			}
			if out := openings(t, all[0].flow, clinic, "clinic-b"); !slices.Equal(out, []string{"host"}) {
				t.Errorf("opened: %v", out)
			}
			call(t, all[1].flow, getPatient(), works)
		})
	}
}

// A part of the vendor that is out opens what is out and nothing else.
func TestPartialOutageOpensItsScope(t *testing.T) {
	t.Parallel()
	list := withFingerprint(7)
	list.Operation, list.Class = "GetAppointments", tebra.ReadList
	for _, c := range []struct {
		name string
		out  func(tebra.Call) bool
		o    tebra.Outcome
		call tebra.Call // that fails
		want []string
	}{
		{"an operation, a fault", func(c tebra.Call) bool { return c.Operation == "GetAppointments" }, fails, list, []string{"clinic-a GetAppointments"}},
		{"an operation, a status", func(c tebra.Call) bool { return c.Operation == "GetAppointments" }, foreign, list, []string{"clinic-a GetAppointments"}},
		{"an operation, unknown", func(c tebra.Call) bool { return c.Operation == "GetAppointments" }, tebra.Outcome{Code: tebra.Unknown}, list, []string{"clinic-a GetAppointments"}},
		{"an operation hangs", func(c tebra.Call) bool { return c.Operation == "GetAppointments" }, timedOut, list, []string{"clinic-a GetAppointments"}},
		{"an account", func(c tebra.Call) bool { return c.Account == "clinic-a" }, fails, getPatient(), []string{"clinic-a GetPatient"}},
		{"a proxy of one account", func(c tebra.Call) bool { return c.Account == "clinic-a" }, foreign, getPatient(), []string{"clinic-a GetPatient"}},
		{"a proxy of a region", func(c tebra.Call) bool { return c.Account != "clinic-c" }, foreign, getPatient(), []string{"clinic-a GetPatient"}},
		{"slow", func(tebra.Call) bool { return true }, tebra.Outcome{Latency: time.Minute}, getPatient(), nil},
		{"unreadable", func(tebra.Call) bool { return true }, malformed, getPatient(), nil},
		{"throttled", func(tebra.Call) bool { return true }, tebra.Outcome{Code: tebra.Throttled}, getPatient(), nil},
		{"denied", func(tebra.Call) bool { return true }, tebra.Outcome{Code: tebra.Denied}, getPatient(), nil},
		{"a refused login", func(c tebra.Call) bool { return c.Account == "clinic-a" }, badCredentials, getPatient(), []string{"clinic-a credential"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := outage(t, redistest.New(t), lasting)
			v := all[0]
			if _, ok := v.call(t.Context(), list); !ok {
				t.Fatal("refused")
			}
			v.set(func(sent tebra.Call) tebra.Outcome {
				if c.out(sent) {
					return c.o
				}
				return works
			})
			if c.want == nil {
				for n := range uint64(30) {
					c.call.Fingerprint = 100 + n
					_, _ = v.call(t.Context(), interactive(c.call))
				}
			} else {
				_, scope, _ := strings.Cut(c.want[0], " ")
				until(t, v, scope, breaker.Open, c.call)
			}
			if out := openings(t, v.flow, clinic, "clinic-b", "clinic-c"); !slices.Equal(out, c.want) {
				t.Errorf("opened: %v, want %v", out, c.want)
			}
			call(t, all[1].flow, of("clinic-c", getPatient()), works)
		})
	}
}

// When half of all calls fail, whichever they are, the host opens in the end.
func TestHalfAnOutageOpensTheHost(t *testing.T) {
	t.Parallel()
	v := outage(t, redistest.New(t), lasting)[0]
	random := rand.New(rand.NewPCG(1, 2))
	v.set(func(tebra.Call) tebra.Outcome {
		if random.IntN(2) == 0 {
			return foreign
		}
		return works
	})
	until(t, v, "host", breaker.Open, getPatient())
}

// withLogin is a call with a version of the credentials.
func withLogin(login string) tebra.Call {
	c := getPatient()
	c.Login = login
	return c
}

// A refused login is not used again before its time, and the first calls of a new one are single.
func TestLogins(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		one, two := newFlow(t, rdb, lasting), newFlow(t, rdb, lasting)
		first := enter(t, one, withLogin("old"))
		for _, f := range []*Flow{one, two} {
			if r := refused(t, f, withLogin("old"), codes.Breaker); r.Scope != "credential" {
				t.Errorf("a second call of an unknown login is refused by %s", r.Scope)
			}
			call(t, f, of("clinic-b", getPatient()), works)
		}
		first.Done(t.Context(), badCredentials)
		for _, f := range []*Flow{one, two} {
			if at, _ := refused(t, f, withLogin("old"), codes.Breaker).NotBefore(); time.Until(at) < 50*time.Second {
				t.Errorf("a refused login is used again in %v", time.Until(at))
			}
		}
		second := enter(t, two, withLogin("new"))
		_ = refused(t, one, withLogin("new"), codes.Breaker)
		second.Done(t.Context(), tebra.Outcome{Code: tebra.Throttled}) // says nothing about it
		call(t, one, withLogin("new"), tebra.Outcome{Code: tebra.NotFound})
		for _, f := range []*Flow{one, two} {
			p := enter(t, f, withLogin("new"))
			call(t, f, withLogin("new"), works)
			p.Done(t.Context(), works)
		}
		call(t, one, withLogin("new"), badCredentials) // changed at the vendor
		_ = refused(t, two, withLogin("new"), codes.Breaker)
		call(t, two, withLogin("newer"), works)
	})
}

// While an operator keeps a breaker closed, evidence neither opens it nor stops this process.
func TestForcedClosedBreakerLetsCallsThrough(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb, lasting)
	b := breakerOf(f, getPatient())
	decision := breaker.Forced{Until: time.Now().Add(time.Minute), By: "ada", Why: "a test"}
	if _, err := b.Force(t.Context(), rdb, decision); err != nil {
		t.Fatal(err)
	}
	for range 3 * witnesses {
		repeatFor(t, f, b, getPatient(), down)
	}
	call(t, f, getPatient(), works)
}

// A tenant whose calls cannot be repeated, such as one that was removed, leaves the evidence to the
// others.
func TestTenantsThatCannotBeAskedAreSkipped(t *testing.T) {
	t.Parallel()
	v := outage(t, redistest.New(t), lasting)[0]
	v.mu.Lock()
	v.gone = clinic
	v.mu.Unlock()
	v.set(func(tebra.Call) tebra.Outcome { return down })
	until(t, v, "host", breaker.Open, of("clinic-b", getPatient()))
	for _, c := range v.repeated() {
		if c.Account == clinic.String() {
			t.Error("a call of the tenant that is gone was sent")
		}
	}
}
