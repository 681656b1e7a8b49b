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
// tenth each, and a tenth is always free for the next one.
type places struct {
	slots int

	mu      sync.Mutex
	held    int                // background calls of all tenants
	present map[*share]present // the tenants with calls in flight or waiting, at most one for each slot
	waiters []*waiter          // in order of arrival, at most one for each slot
}

// present is what a tenant has in a process at the moment.
type present struct{ background, interactive, waiting int }

// share is what a process knows of one tenant. The mutex of its places guards it.
type share struct {
	weight float64
	load   load
	turn   time.Time // of the last caller that was refused
}

// waiter is a caller that waits for a place.
type waiter struct {
	share       *share
	interactive bool
	given       chan struct{} // closed with the place
}

func newPlaces(slots int) *places {
	return &places{slots: slots, present: map[*share]present{}}
}

// acquire waits for a place until ctx ends, and takes a free one even if ctx has ended. It returns
// the function that releases the place, or nil when none became free in time.
func (p *places) acquire(ctx context.Context, s *share, c tebra.Call) (release func()) {
	w := p.request(s, c)
	select {
	case <-w.given:
	case <-ctx.Done():
		if p.abandon(w) {
			return nil
		}
	}
	return func() { p.release(w) }
}

// request lets a caller wait, and gives it a place if one is free.
func (p *places) request(s *share, c tebra.Call) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.load.called(c.Operation, c.Interval, time.Now())
	w := &waiter{share: s, interactive: c.Interactive, given: make(chan struct{})}
	p.waiters = append(p.waiters, w)
	p.count(s, func(n *present) { n.waiting++ })
	p.give()
	return w
}

// abandon ends a wait. It returns false if the place has been given in the meantime.
func (p *places) abandon(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiters, w)
	if i < 0 {
		return false
	}
	p.waiters = slices.Delete(p.waiters, i, i+1)
	p.count(w.share, func(n *present) { n.waiting-- })
	p.give() // the weight of a tenant that has left no longer counts
	return true
}

func (p *places) release(w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count(w.share, func(n *present) {
		if w.interactive {
			n.interactive--
			return
		}
		n.background--
		p.held--
	})
	p.give()
}

// give gives every place that is free for a caller that waits. The tenant with the fewest calls in
// flight by weight is first.
func (p *places) give() {
	for {
		next := -1
		for i, w := range p.waiters {
			if p.isFree(w) && (next < 0 || p.used(w.share) < p.used(p.waiters[next].share)) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := p.waiters[next]
		p.waiters = slices.Delete(p.waiters, next, next+1)
		p.count(w.share, func(n *present) {
			n.waiting--
			if w.interactive {
				n.interactive++
				return
			}
			n.background++
			p.held++
		})
		close(w.given)
	}
}

// isFree reports whether a caller may have a place now.
func (p *places) isFree(w *waiter) bool {
	n, least := p.present[w.share], min(leastPlaces, p.slots)
	most := max(min(w.share.load.calls(), p.slots), least)
	if w.interactive {
		return n.background+n.interactive < most+reserved(most)
	}
	if n.background < least {
		return true
	}
	return n.background < most && float64(n.background) < float64(p.slots-p.held)*w.share.weight/p.heaviest()
}

// reserved is how many places interactive callers have besides those that the background may use: a
// quarter of all.
func reserved(background int) int { return max(background/3, 1) }

// heaviest returns the greatest weight of the tenants that are present. Weights are relative to it,
// so that a tenant alone leaves half of the slots free, however heavy it is.
func (p *places) heaviest() float64 {
	weight := 0.0
	for s := range p.present {
		weight = max(weight, s.weight)
	}
	return weight
}

// used returns how many background calls a tenant has in flight for each unit of its weight.
func (p *places) used(s *share) float64 { return float64(p.present[s].background) / s.weight }

// count changes what a tenant has. A tenant that has nothing is not kept.
func (p *places) count(s *share, change func(*present)) {
	n := p.present[s]
	if change(&n); n == (present{}) {
		delete(p.present, s)
		return
	}
	p.present[s] = n
}

// weigh sets a tenant's weight.
func (p *places) weigh(s *share, weight int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.weight = float64(max(weight, 1))
	p.give()
}

// ended records how long a call of the tenant took.
func (p *places) ended(s *share, operation string, latency time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.load.ended(operation, latency)
}

// turn returns how long a caller of the tenant that was refused should wait: the tenant's calls end
// one after the other, and each caller gets a later turn than the one before.
func (p *places) turn(s *share, interval time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	pitch := max(s.load.longest()/time.Duration(max(p.present[s].background, 1)), interval)
	ahead := min(max(s.turn.Sub(now), 0)+pitch, longestTurn)
	s.turn = now.Add(ahead)
	return ahead
}
