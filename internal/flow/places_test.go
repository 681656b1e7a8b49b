package flow

import (
	"container/heap"
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// TestPlacesFollowTheirRules lets callers of three tenants come, give up and end in every order.
func TestPlacesFollowTheirRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, 12).Draw(rt, "slots")
		p := newPlaces(slots)
		shares := make([]*share, 3)
		for i := range shares {
			shares[i] = &share{weight: float64(rapid.IntRange(1, 5).Draw(rt, "weight"))}
		}
		var callers []*waiter // all that wait or have a place
		remove := func(i int) { callers = slices.Delete(callers, i, i+1) }
		rt.Repeat(map[string]func(*rapid.T){
			"request": func(rt *rapid.T) {
				s := rapid.SampledFrom(shares).Draw(rt, "tenant")
				callers = append(callers, p.request(s, tebra.Call{Operation: "o", Interval: time.Second, Interactive: rapid.Bool().Draw(rt, "interactive")}))
			},
			"end": func(rt *rapid.T) {
				i := rapid.IntRange(0, max(len(callers)-1, 0)).Draw(rt, "caller")
				if i >= len(callers) {
					return
				}
				w := callers[i]
				remove(i)
				if has := w.has(); has == p.abandon(w) {
					rt.Fatalf("a caller that has a place (%t) could abandon its wait, or one without could not", has)
				} else if has {
					p.release(w)
				}
			},
			"latency": func(rt *rapid.T) {
				s := rapid.SampledFrom(shares).Draw(rt, "tenant")
				p.ended(s, "o", time.Duration(rapid.IntRange(1, 10).Draw(rt, "seconds"))*time.Second, 0)
			},
			"weight": func(rt *rapid.T) {
				p.weigh(rapid.SampledFrom(shares).Draw(rt, "tenant"), rapid.IntRange(-1, 100).Draw(rt, "weight"))
			},
			"": func(rt *rapid.T) { checkPlaces(rt, p, callers) },
		})
	})
}

// checkPlaces counts the callers' places, and fails if one waits for a place that it may have.
func checkPlaces(rt *rapid.T, p *places, callers []*waiter) {
	background, interactive, held, heaviest := map[*share]int{}, map[*share]int{}, 0, 0.0
	for _, w := range callers {
		switch {
		case !w.has():
		case w.interactive:
			interactive[w.share]++
		default:
			background[w.share]++
			held++
		}
	}
	for _, w := range callers {
		if !w.has() && !w.interactive && background[w.share] < littlesLaw(p, w.share) {
			heaviest = max(heaviest, w.share.weight)
		}
	}
	if held != p.held {
		rt.Fatalf("%d background places are held, and %d counted", held, p.held)
	}
	for _, w := range callers {
		if w.has() {
			continue
		}
		little, n, reserve := littlesLaw(p, w.share), background[w.share], interactive[w.share]
		switch {
		case w.interactive && reserve < max(1, little/3):
			rt.Fatalf("an interactive caller waits while its tenant has %d interactive calls in flight", reserve)
		case w.interactive && n+reserve < little+max(1, little/3):
			rt.Fatalf("an interactive caller waits while its tenant has %d calls in flight", n+reserve)
		case w.interactive:
		case n < min(2, p.slots):
			rt.Fatalf("a caller waits whose tenant has %d calls in flight", n)
		case n < little && float64(n)*heaviest < float64(p.slots-held)*w.share.weight:
			rt.Fatalf("a caller waits whose tenant has %d calls in flight, while %d of %d slots are free", n, p.slots-held, p.slots)
		}
	}
}

// littlesLaw returns how many background calls a tenant with a call a second can need.
func littlesLaw(p *places, s *share) int {
	n := p.slots
	if l := s.load.longest(); l > 0 {
		n = min(int(math.Ceil(1.5*l.Seconds()))+2, p.slots)
	} else if len(s.load.operations) > 0 {
		n = min(7, p.slots)
	}
	return max(n, min(2, p.slots))
}

// Interactive callers have their reserve although background calls that were allowed before an
// estimate fell use more than all places.
func TestInteractiveCallersKeepTheirReserve(t *testing.T) {
	t.Parallel()
	p, s := newPlaces(32), &share{weight: 1}
	c := tebra.Call{Operation: "o", Interval: 250 * time.Millisecond}
	for range 40 {
		p.request(s, c)
	}
	p.ended(s, "o", 3*time.Second, 0)
	for range 20 {
		p.ended(s, "o", 200*time.Millisecond, 0)
	}
	if n := p.present[s].background; n <= p.most(s)+reserved(p.most(s)) {
		t.Fatalf("%d background calls are in flight, and %d allowed", n, p.most(s))
	}
	c.Interactive = true
	for i := range reserved(p.most(s)) {
		if !p.request(s, c).has() {
			t.Errorf("interactive caller %d waits", i+1)
		}
	}
	if p.request(s, c).has() {
		t.Error("an interactive caller has a place beyond the reserve")
	}
}

// The weight of a tenant counts while background callers of it wait and could have a place.
func TestWeightsCountWhileTheirTenantsWait(t *testing.T) {
	t.Parallel()
	call := tebra.Call{Operation: "o", Interval: 250 * time.Millisecond}
	person := call
	person.Interactive = true
	for name, prepare := range map[string]func(p *places, heavy *share){
		"an interactive call":         func(p *places, heavy *share) { p.request(heavy, person) },
		"interactive calls that wait": func(p *places, heavy *share) { repeat(60, func() { p.request(heavy, person) }) },
		"a background call":           func(p *places, heavy *share) { p.request(heavy, call) },
		"as many as its budget needs": func(p *places, heavy *share) {
			p.request(heavy, call)
			p.ended(heavy, "o", 100*time.Millisecond, 0)
			repeat(20, func() { p.request(heavy, call) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, light, heavy := newPlaces(32), &share{weight: 1}, &share{weight: 100}
			prepare(p, heavy)
			repeat(40, func() { p.request(light, call) })
			if n, free := p.present[light].background, p.slots-p.held; n < free {
				t.Errorf("the light tenant has %d places and leaves %d free", n, free)
			}
		})
	}
	t.Run("callers that gave up", func(t *testing.T) {
		t.Parallel()
		p, light, heavy := newPlaces(32), &share{weight: 1}, &share{weight: 100}
		var waiting []*waiter
		repeat(40, func() { waiting = append(waiting, p.request(heavy, call)) })
		repeat(40, func() { p.request(light, call) })
		if n := p.present[light].background; n != leastPlaces {
			t.Errorf("while the heavy tenant waits, the light one has %d places", n)
		}
		for _, w := range waiting {
			p.abandon(w)
		}
		if n := p.present[light].background; n != 8 {
			t.Errorf("when it waits no longer, the light one has %d places of 16", n)
		}
	})
}

func repeat(n int, do func()) {
	for range n {
		do()
	}
}

// A caller that has a place when its context ends keeps it.
func TestPlaceIsKeptWhenTheWaitEnds(t *testing.T) {
	t.Parallel()
	p, s := newPlaces(1), &share{weight: 1}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	c := tebra.Call{Operation: "o", Interval: time.Second}
	for range 20 {
		w := p.request(s, c)
		if !p.await(ended, w) {
			t.Fatal("a free place was not taken")
		}
		if p.await(ended, p.request(s, c)) {
			t.Fatal("a place was given twice")
		}
		p.release(w)
	}
	if p.held != 0 || len(p.waiters) != 0 {
		t.Errorf("at the end %d places are held and %d callers wait", p.held, len(p.waiters))
	}
}

// demander is a tenant of a simulation that always has callers waiting. Each occupies one of the
// worker's slots.
type demander struct {
	share   share
	callers int // at once
	latency time.Duration
	used    time.Duration // vendor time
}

// end is the end of a simulated call.
type end struct {
	at     time.Duration
	tenant int
	caller *waiter
}

type ends []end

func (e ends) Len() int           { return len(e) }
func (e ends) Less(i, j int) bool { return e[i].at < e[j].at }
func (e ends) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(v any)        { *e = append(*e, v.(end)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// simulate lets the tenants share places for some time, and counts what they use of a period after
// it.
func simulate(slots int, warm, period time.Duration, tenants []*demander) {
	p := newPlaces(slots)
	var calls ends
	waiting := make([][]*waiter, len(tenants))
	now := time.Duration(0)
	begin := func() {
		for i, d := range tenants {
			waiting[i] = slices.DeleteFunc(waiting[i], func(w *waiter) bool {
				if !w.has() {
					return false
				}
				heap.Push(&calls, end{now + d.latency, i, w})
				d.used += max(0, min(now+d.latency, warm+period)-max(now, warm))
				return true
			})
		}
	}
	request := func(i int) {
		waiting[i] = append(waiting[i], p.request(&tenants[i].share, tebra.Call{Operation: "o", Interval: time.Millisecond}))
	}
	for i, d := range tenants {
		for range d.callers {
			request(i)
		}
	}
	for begin(); calls.Len() > 0; begin() {
		next := heap.Pop(&calls).(end)
		if now = next.at; now >= warm+period {
			return
		}
		p.ended(&tenants[next.tenant].share, "o", tenants[next.tenant].latency, 0)
		request(next.tenant) // a backlog: the next caller waits already
		p.release(next.caller)
	}
}

// Tenants that want any number of places get vendor time by weight, however long their calls take,
// and those that want few places get these: max-min fairness.
func TestPlacesAreMaxMinFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const slots, warm, period = 32, 30 * time.Second, 2 * time.Minute
		var tenants []*demander
		for range rapid.IntRange(2, 6).Draw(rt, "tenants") {
			tenants = append(tenants, &demander{
				share:   share{weight: float64(rapid.IntRange(1, 3).Draw(rt, "weight"))},
				callers: rapid.SampledFrom([]int{1, 3, slots}).Draw(rt, "callers"),
				latency: time.Duration(rapid.IntRange(1, 10).Draw(rt, "seconds")) * time.Second,
			})
		}
		simulate(slots, warm, period, tenants)
		fair := fairPlaces(slots, tenants)
		for i, d := range tenants {
			got := d.used.Seconds() / period.Seconds()
			if low, high := 0.9*fair[i]-1, 1.1*fair[i]+2; got < low || got > high {
				rt.Errorf("tenant %d (%d callers, weight %g, %v) has %.1f calls in flight on average, want %.1f", i, d.callers, d.share.weight, d.latency, got, fair[i])
			}
		}
	})
}

// fairPlaces returns the places of each tenant for which all rules hold with equality: each has
// what it needs, at most weight × free by the greatest weight of the tenants that need more.
func fairPlaces(slots float64, tenants []*demander) []float64 {
	weights := []float64{0} // no tenant needs more
	for _, d := range tenants {
		weights = append(weights, d.share.weight)
	}
	slices.Sort(weights)
	for _, heaviest := range slices.Backward(weights) {
		fair := fairBy(heaviest, slots, tenants)
		for i, d := range tenants {
			if d.share.weight == heaviest && fair[i] < float64(d.callers) || heaviest == 0 {
				return fair
			}
		}
	}
	return nil
}

// fairBy returns the same if the greatest weight is known.
func fairBy(heaviest, slots float64, tenants []*demander) []float64 {
	fair := make([]float64, len(tenants))
	low, high := 0.0, slots // of the free slots
	for range 60 {
		free, held := (low+high)/2, 0.0
		for i, d := range tenants {
			fair[i] = float64(d.callers)
			if heaviest > 0 {
				fair[i] = min(fair[i], max(free*d.share.weight/heaviest, 2))
			}
			held += fair[i]
		}
		if held+free > slots {
			high = free
		} else {
			low = free
		}
	}
	return fair
}

// One tenant with a long backlog of slow calls leaves half of the slots free. Others find a place
// at once.
func TestHogLeavesPlacesFree(t *testing.T) {
	t.Parallel()
	p, hog, quiet := newPlaces(32), &share{weight: 1}, &share{weight: 1}
	call := tebra.Call{Operation: "o", Interval: 250 * time.Millisecond}
	n := 0
	for range 40 {
		if p.request(hog, call).has() {
			n++
		}
	}
	if n != 16 {
		t.Errorf("the hog has %d of 32 places", n)
	}
	for i := range 8 {
		if !p.request(quiet, call).has() {
			t.Errorf("the quiet tenant waits for its place %d", i+1)
		}
	}
}

// What a tenant may have in flight follows the latency of its calls, up and down.
func TestPlacesFollowLittlesLaw(t *testing.T) {
	t.Parallel()
	var l load
	now := time.Now()
	if n := (&load{}).calls(); n != leastPlaces {
		t.Errorf("a tenant without calls may have %d", n)
	}
	l.called("GetPatient", 250*time.Millisecond, now)
	if n := l.calls(); n != 20 { // 3 s are 12 on average
		t.Errorf("while no latency is known, %d calls are allowed, want 20", n)
	}
	l.ended("GetPatient", 2500*time.Millisecond, 0)
	if n := l.calls(); n != 17 { // 10 on average, half as many again, and 2
		t.Errorf("%d calls are allowed, want 17", n)
	}
	l.called("GetAppointments", time.Second, now)
	l.ended("GetAppointments", 4*time.Second, 0)
	if n := l.calls(); n != 23 {
		t.Errorf("with a second operation, %d calls are allowed, want 23", n)
	}
	for range 20 {
		l.ended("GetPatient", 20*time.Second, 0)
	}
	if n := l.calls(); n < 120 || n > 128 {
		t.Errorf("%d slow calls are allowed, want 128", n)
	}
	for range 30 {
		l.ended("GetPatient", 100*time.Millisecond, 0)
	}
	if n := l.calls(); n > 10 {
		t.Errorf("%d fast calls are allowed", n)
	}
	l.ended("GetPatient", 2500*time.Millisecond, 500*time.Millisecond) // calls are farther apart than documented
	l.called("GetPatient", 250*time.Millisecond, now)
	if n := l.operations["GetPatient"].spacing; n != 500*time.Millisecond {
		t.Errorf("the spacing is %v", n)
	}
	l.called("GetPatient", 250*time.Millisecond, now.Add(2*loadLife))
	if len(l.operations) != 1 {
		t.Errorf("operations that are no longer called still count: %v", l.operations)
	}
	for i := range 2 * maxOperations {
		l.called(string(rune('A'+i)), time.Second, now.Add(2*loadLife))
	}
	l.ended("unknown", time.Second, 0)
	if len(l.operations) != maxOperations {
		t.Errorf("%d operations are kept", len(l.operations))
	}
}

// Callers that are refused return one after the other, as fast as calls of their tenant end.
// A person's call does not wait behind them.
func TestRefusedCallersReturnInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, s := newPlaces(8), &share{weight: 1}
		c := tebra.Call{Operation: "o", Interval: 250 * time.Millisecond}
		for range 4 {
			p.request(s, c)
		}
		p.ended(s, "o", 8*time.Second, 0)
		for i := range 3 {
			if got, want := p.turn(s, c), time.Duration(i+1)*2*time.Second; got != want {
				t.Errorf("caller %d returns in %v, want %v", i, got, want)
			}
		}
		for range 100 {
			p.turn(s, c)
		}
		if got := p.turn(s, c); got != longestTurn {
			t.Errorf("the last caller returns in %v", got)
		}
		person := c
		if person.Interactive = true; p.turn(s, person) != 2*time.Second {
			t.Errorf("a person's call returns in %v", p.turn(s, person))
		}
	})
}

// A tenant that is ahead returns when the others have probably caught up, and soon after they wait
// no longer.
func TestYieldingPostponesBriefly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, hog := newPlaces(32), &share{weight: 1}
		c := tebra.Call{Operation: "o", Interval: 250 * time.Millisecond}
		repeat(16, func() { p.request(hog, c) })
		p.ended(hog, "o", 2500*time.Millisecond, 0)
		hog.ahead, hog.compared = tolerance+30*time.Second, time.Now()
		p.waited(&share{weight: 1}, time.Now())
		for _, tc := range []struct {
			speed float64
			want  time.Duration
		}{{0, waitLife}, {0.5, waitLife}, {20, 1500 * time.Millisecond}, {1000, c.Interval}} {
			p.speed, hog.turn = tc.speed, time.Time{}
			if got := p.turn(hog, c); got != tc.want {
				t.Errorf("at speed %g it returns in %v, want %v", tc.speed, got, tc.want)
			}
		}
		p.speed = 0.5
		repeat(3, func() { p.turn(hog, c) })
		<-time.After(waitLife)
		if got := p.turn(hog, c); got != c.Interval {
			t.Errorf("when no other tenant waits any longer, it returns in %v", got)
		}
	})
}

// A caller of a tenant that is ahead gets a place when the others wait no longer, although nothing
// else happens.
func TestYieldingEndsByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, hog := newPlaces(32), &share{weight: 1}
		c := tebra.Call{Operation: "o", Interval: 2 * time.Second}
		hog.ahead, hog.compared = 40*time.Second, time.Now()
		p.waited(&share{weight: 1}, time.Now().Add(-waitLife/2))
		repeat(leastPlaces, func() { p.request(hog, c) })
		w := p.request(hog, c)
		if w.has() {
			t.Fatal("a tenant that is ahead has a place while another one waits")
		}
		ctx, cancel := context.WithTimeout(t.Context(), waitLife)
		defer cancel()
		if !p.await(ctx, w) {
			t.Errorf("it has no place when no other one waits, with %d of 32 slots in use", p.held)
		}
	})
}
