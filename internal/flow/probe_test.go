package flow

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
)

// awaitProbe waits until the host's breaker admits a probe.
func awaitProbe(t *testing.T, f *Flow) {
	t.Helper()
	for s := condition(t, f, "host"); s.Condition != breaker.Probing; s = condition(t, f, "host") {
		if s.Condition != breaker.Open {
			t.Fatalf("no probe due: %+v", s)
		}
		waitUntil(t, s.Until.Add(5*time.Millisecond))
	}
}

// When the open period ends, one call in the fleet is the probe; all others wait for its outcome.
func TestFleetSendsOneProbe(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		flows := []*Flow{newFlow(t, rdb), newFlow(t, rdb), newFlow(t, rdb)}
		openHost(t, flows[0], getPatient())
		awaitProbe(t, flows[0])
		var through atomic.Int64
		var probe atomic.Pointer[permit]
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				c := getPatient()
				c.Account = "clinic-" + string(rune('a'+i%4))
				if p, err := flows[i%3].Enter(t.Context(), c); err == nil {
					through.Add(1)
					probe.Store(p.(*permit))
				}
			})
		}
		wg.Wait()
		if through.Load() != 1 {
			t.Fatalf("%d probes", through.Load())
		}
		probe.Load().Done(t.Context(), tebra.Outcome{Code: tebra.NotFound}) // any response shows that the host works
		if s := condition(t, flows[1], "host"); s.Condition != breaker.Ramp || s.Opens != 1 {
			t.Errorf("after the probe: %+v", s)
		}
		for _, f := range flows {
			call(t, f, getPatient(), tebra.Outcome{})
		}
	})
}

// A probe without a conclusive outcome releases its permission.
func TestProbeWithoutOutcome(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		openHost(t, f, getPatient())
		awaitProbe(t, f)
		for _, o := range []tebra.Outcome{{Void: true, NotSent: true}, {Code: tebra.Canceled}} {
			p := enter(t, f, getPatient())
			_ = refused(t, f, getPatient(), codes.Breaker)
			p.Done(t.Context(), o)
		}
		call(t, f, getPatient(), tebra.Outcome{})
		if s := condition(t, f, "host"); s.Condition != breaker.Ramp {
			t.Errorf("after the probe: %+v", s)
		}
	})
}

// A prober that dies blocks the others only as long as its permission lasts.
func TestLostProbeExpires(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) { o.Breakers.Probe = 200 * time.Millisecond })
		openHost(t, f, getPatient())
		awaitProbe(t, f)
		enter(t, f, getPatient())
		at, _ := refused(t, f, interactive(getPatient()), codes.Breaker).NotBefore()
		if d := time.Until(at); d > 200*time.Millisecond {
			t.Errorf("try again in %v", d)
		}
		waitUntil(t, time.Now().Add(250*time.Millisecond))
		call(t, f, getPatient(), tebra.Outcome{})
	})
}

// A failed probe opens for twice as long, a fifth more or less, up to the longest period; so does
// one failure in the ramp.
func TestOpensLonger(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) {
			o.Breakers.Open, o.Breakers.MaxOpen, o.Breakers.Ramp = 100*time.Millisecond, 300*time.Millisecond, 5*time.Second
		})
		var began time.Time // of the call that failed last
		check := func(what string, opens int64, period time.Duration) {
			t.Helper()
			ended := time.Now()
			f.host.invalidate()
			v, err := f.host.read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v.Opens != opens || v.Until.After(ended.Add(period*6/5)) || v.Until.Before(began.Add(period*4/5-50*time.Millisecond)) {
				t.Errorf("%s: %d openings, until %v; want %d, %v from %v", what, v.Opens, v.Until, opens, period, ended)
			}
		}
		fail := func() {
			t.Helper()
			began = time.Now()
			repeatFor(t, f, f.host, getPatient(), down)
		}
		fail()
		fail()
		check("at first", 1, 100*time.Millisecond)
		awaitProbe(t, f)
		fail()
		check("after a failed probe", 2, 200*time.Millisecond)
		awaitProbe(t, f)
		call(t, f, getPatient(), tebra.Outcome{})
		call(t, f, getPatient(), tebra.Outcome{})
		fail()
		check("after one failure in the ramp", 3, 300*time.Millisecond)
	})
}
