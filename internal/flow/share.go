package flow

import (
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// share is what a process knows of one tenant's part of the vendor calls. The mutex of the process'
// places guards it.
type share struct {
	tenant tenant.ID
	weight float64 // at least 1
	load   load
	turn   time.Time // of the last caller that was refused

	used   time.Duration // vendor time that the fleet does not know yet
	since  time.Time     // until when it is counted
	waited time.Time     // when a caller last had to wait because of other tenants

	ahead    time.Duration // how much more than others the tenant has used in the fleet, by weight
	compared time.Time     // when that was learned
}

// weigh sets a tenant's weight.
func (p *places) weigh(s *share, weight int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.weight = float64(max(weight, 1))
	p.give()
}

// ended records how long a call of the tenant took, and the spacing of its operation's calls, or 0.
func (p *places) ended(s *share, operation string, latency, spacing time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.load.ended(operation, latency, spacing)
	p.give()
}

// turn returns how long a caller of the tenant that was refused should wait. The tenant's calls end
// one after the other, and each background caller gets a later turn than the one before. A tenant
// that is ahead of the others waits for them.
func (p *places) turn(s *share, c tebra.Call) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, n := time.Now(), p.present[s]
	pitch := max(s.load.longest()/time.Duration(max(n.background+n.interactive, 1)), c.Interval)
	if c.Interactive {
		return min(pitch, longestPlaceWait)
	}
	ahead := min(max(s.turn.Sub(now), 0)+pitch, longestTurn)
	s.turn = now.Add(ahead)
	if p.mustYield(s) {
		ahead = max(ahead, p.catchUp(s))
	}
	return ahead
}

// catchUp returns when the others have probably caught up with a tenant that is ahead, but no later
// than they may wait no longer.
func (p *places) catchUp(s *share) time.Duration {
	if p.speed <= 0 {
		return waitLife
	}
	return time.Duration(min(float64(s.ahead-tolerance)/p.speed, float64(waitLife)))
}

// accrue adds what the tenant's calls have used until now.
func (p *places) accrue(s *share, now time.Time) {
	if n := p.present[s].sent; n > 0 {
		s.used += time.Duration(n) * now.Sub(s.since)
		p.unreported[s] = struct{}{}
	}
	s.since = now
}

// waited records that a caller of the tenant has to wait because of other tenants.
func (p *places) waited(s *share, now time.Time) {
	s.waited = now
	p.unreported[s] = struct{}{}
	if p.waits[0].share != s {
		p.waits[1] = p.waits[0]
	}
	p.waits[0] = wait{s, now}
}

// mustYield reports whether a tenant that is ahead leaves the places to others, because one waits
// here.
func (p *places) mustYield(s *share) bool {
	if s.ahead <= tolerance || time.Since(s.compared) > 2*waitLife {
		return false
	}
	for _, w := range p.waits {
		if w.share != nil && w.share != s && time.Since(w.at) < waitLife && w.share.ahead < s.ahead {
			return true
		}
	}
	return false
}

// uses returns what the tenants have used that the fleet does not know yet, and forgets it.
func (p *places) uses(now time.Time) (uses []use) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.present {
		p.accrue(s, now)
	}
	for s := range p.unreported {
		if len(uses) == maxExchange {
			break
		}
		uses = append(uses, use{s, time.Duration(float64(s.used) / s.weight), !s.waited.IsZero() && now.Sub(s.waited) < waitLife})
		s.used = 0
		delete(p.unreported, s)
	}
	return uses
}

// compared records how far tenants are ahead.
func (p *places) compared(uses []use, c comparison, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speed = c.speed
	for i, u := range uses {
		u.share.ahead, u.share.compared = c.ahead[i], now
	}
	p.give()
}
