package flow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

const (
	// leastPlaces is what a tenant may always have in flight.
	leastPlaces = 2
	// longestPlaceWait limits how long a caller that waits for a place occupies its worker's slot.
	longestPlaceWait = 2 * time.Second
	// longestTurn limits how far ahead the turns of a tenant's refused callers are.
	longestTurn = 30 * time.Second
)

// places shares the calls that a process can have in flight among its tenants. A background call
// occupies one of the worker's slots until it ends, so the slots that one tenant leaves free decide
// how soon another one is served. Interactive calls have slots of their own.
//
// A tenant may have as many background calls in flight as it leaves slots free, by weight
// (Choudhury and Hahne's dynamic thresholds). One tenant alone gets half of the slots, nine get a
// tenth each, and a tenth is always free for the next one. The weight of a tenant counts while it
// waits for places. A tenant that has used more of the fleet than the others gets no place while
// another one waits here.
type places struct {
	slots int

	mu      sync.Mutex
	held    int                // background calls of all tenants
	present map[*share]present // the tenants with calls in flight or background callers that wait
	waiters []*waiter          // in order of arrival, at most one for each slot of the worker
	// unreported are the tenants whose use the fleet does not know yet, or whose callers waited.
	unreported map[*share]struct{}
	waits      [2]wait // of the tenant whose caller had to wait last, and of another one before it
	speed      float64 // of the fleet's virtual time; 0 if it is not known
}

// present is what a tenant has in a process at the moment: places of background and interactive
// calls, background calls that have their permit, and background callers that wait.
type present struct{ background, interactive, sent, waiting int }

// wait is when the caller of a tenant had to wait.
type wait struct {
	share *share
	at    time.Time
}

// waiter is a caller that waits for a place, and later has one.
type waiter struct {
	share       *share
	interactive bool
	sent        bool
	given       chan struct{} // closed with the place
}

func newPlaces(slots int) *places {
	return &places{slots: slots, present: map[*share]present{}, unreported: map[*share]struct{}{}}
}

// request lets a caller wait, and gives it a place if one is free.
func (p *places) request(s *share, c tebra.Call) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	s.load.called(c.Operation, c.Interval, now)
	w := &waiter{share: s, interactive: c.Interactive, given: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	p.count(s, func(n *present) { n.waiting += w.background() })
	p.give()
	if !w.has() && !w.interactive && p.present[s].background < p.most(s) {
		p.waited(s, now)
	}
	return w
}

// background returns 1 for a background caller, and 0 for an interactive one.
func (w *waiter) background() int {
	if w.interactive {
		return 0
	}
	return 1
}

// has reports whether the caller has its place.
func (w *waiter) has() bool {
	select {
	case <-w.given:
		return true
	default:
		return false
	}
}

// await waits until the caller has its place, or ctx ends. It returns false if the caller has none.
func (p *places) await(ctx context.Context, w *waiter) bool {
	select {
	case <-w.given:
		return true
	case <-ctx.Done():
		return !p.abandon(w)
	}
}

// abandon ends a wait. It returns false if the place has been given in the meantime, or is free now
// because another tenant's wait has lapsed.
func (p *places) abandon(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.give()
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	p.count(w.share, func(n *present) { n.waiting -= w.background() })
	p.give() // the weight of a tenant that no longer waits does not count
	return true
}

// send records that the call of a place is sent: from now on, its tenant uses the vendor's time.
func (p *places) send(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.sent = !w.interactive; w.sent {
		p.count(w.share, func(n *present) { n.sent++ })
	}
}

// release releases the place of a caller.
func (p *places) release(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(w.share, func(n *present) {
		if w.sent {
			n.sent--
		}
		if w.interactive {
			n.interactive--
			return
		}
		n.background--
		p.held--
	})
	p.give()
}

// give gives every place that is free for a caller that waits. The tenant whose calls in flight
// are the fewest by weight is first.
func (p *places) give() {
	for {
		next, heaviest := -1, p.heaviest()
		for i, w := range p.waiters {
			if p.isFree(w, heaviest) && (next < 0 || p.inFlight(w.share) < p.inFlight(p.waiters[next].share)) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := p.waiters[next]
		p.waiters = slices.Delete(p.waiters, next, next+1)
		p.count(w.share, func(n *present) {
			if w.interactive {
				n.interactive++
				return
			}
			n.waiting--
			n.background++
			p.held++
		})
		close(w.given)
	}
}

// isFree reports whether a caller may have a place now.
func (p *places) isFree(w *waiter, heaviest float64) bool {
	n, most := p.present[w.share], p.most(w.share)
	switch {
	case w.interactive:
		return n.interactive < reserved(most) || n.background+n.interactive < most+reserved(most)
	case n.background >= most:
		return false
	case n.background < leastPlaces:
		return true
	case p.mustYield(w.share):
		return false
	}
	return float64(n.background) < float64(p.slots-p.held)*w.share.weight/heaviest
}

// mayHaveMore reports whether a tenant may have another background call in flight if enough slots
// are free.
func (p *places) mayHaveMore(s *share) bool {
	return p.present[s].background < p.most(s) && !p.mustYield(s)
}

// most returns how many background calls a tenant can need in flight.
func (p *places) most(s *share) int {
	return max(min(s.load.calls(), p.slots), min(leastPlaces, p.slots))
}

// reserved is how many places interactive callers have besides those that the background may use: a
// quarter of all.
func reserved(background int) int { return max(background/3, 1) }

// heaviest returns the greatest weight of the tenants that wait for free slots. Weights are
// relative to it, so that a tenant alone leaves half of the slots free, however heavy it is.
func (p *places) heaviest() float64 {
	weight := 0.0
	for s, n := range p.present {
		if n.waiting > 0 && p.mayHaveMore(s) {
			weight = max(weight, s.weight)
		}
	}
	return weight
}

// inFlight returns how many background calls a tenant has in flight for each unit of its weight.
func (p *places) inFlight(s *share) float64 { return float64(p.present[s].background) / s.weight }

// count changes what a tenant has. A tenant that has nothing is not kept.
func (p *places) count(s *share, change func(*present)) {
	n := p.present[s]
	p.accrue(s, time.Now())
	if change(&n); n == (present{}) {
		delete(p.present, s)
		return
	}
	p.present[s] = n
}
