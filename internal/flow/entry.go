package flow

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/codes"
)

// entry is one call that asks for a permit.
type entry struct {
	flow     *Flow
	call     tebra.Call
	budget   budget.Operation
	share    *share
	breakers []*local
	control  control   // what the call is repeated for, if Probe repeats it
	deadline time.Time // of all waiting
}

// enter tries until it has a permit or a reason why not.
func (e *entry) enter(ctx context.Context) (tebra.Pass, error) {
	for range maxTries {
		p, err := e.try(ctx)
		if p != nil || err != nil {
			return p, err
		}
	}
	return nil, e.refuse(ctx, codes.Pace, "", time.Second)
}

// try asks everything once. It returns neither permit nor error when the grant became invalid in
// the meantime, because a breaker changed.
func (e *entry) try(ctx context.Context) (tebra.Pass, error) {
	if refused, err := e.checkBreakers(ctx); refused != nil || err != nil {
		return nil, firstError(refused, err)
	}
	if refused := e.takeRetry(ctx); refused != nil {
		return nil, refused
	}
	place, err := e.acquirePlace(ctx)
	if err != nil {
		return nil, err
	}
	p := &permit{entry: e, place: place}
	if refused := e.admit(ctx, p); refused != nil {
		p.undo(ctx)
		return nil, refused
	}
	if len(p.admissions) < len(e.breakers) {
		p.undo(ctx)
		return nil, nil //nolint:nilnil // a breaker changed; see above
	}
	used, err := e.acquireSlot(ctx, p)
	if err != nil || !used {
		p.undo(ctx)
		return nil, err
	}
	e.flow.places.send(place)
	return p, nil
}

// checkBreakers refuses while a breaker is open, before anything is acquired.
func (e *entry) checkBreakers(ctx context.Context) (*Refused, error) {
	for _, b := range e.breakers {
		v, err := b.read(ctx)
		if err != nil {
			return e.unreachable(ctx)
		}
		if wait := time.Until(v.Until); v.IsOpen(b.login(e.call)) && wait > 0 {
			e.flow.watchFor(b)
			return e.refuse(ctx, codes.Breaker, b.Scope, wait), nil
		}
	}
	return nil, nil //nolint:nilnil // no breaker is open
}

// acquirePlace waits for one of the tenant's places in flight, at most one interval, because the
// caller occupies a slot of the worker meanwhile.
func (e *entry) acquirePlace(ctx context.Context) (*waiter, error) {
	w := e.flow.places.request(e.share, e.call)
	if !w.has() {
		e.flow.exchange(ctx) // the fleet learns that the tenant waits
	}
	limit := min(e.call.Interval, longestPlaceWait, time.Until(e.deadline))
	waitCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if e.flow.places.await(waitCtx, w) {
		return w, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, e.refuse(ctx, codes.InFlight, "", e.flow.places.turn(e.share, e.call))
}

// admit asks each breaker, as its probe where one is due. It stops without an error at a breaker
// that has changed.
func (e *entry) admit(ctx context.Context, p *permit) error {
	for _, b := range e.breakers {
		a, wait, err := b.admit(ctx, e)
		switch {
		case err != nil:
			return firstError(e.unreachable(ctx))
		case wait > 0:
			return e.refuse(ctx, codes.Breaker, b.Scope, wait)
		case a == nil:
			return nil
		}
		p.admissions = append(p.admissions, a)
	}
	return nil
}

// acquireSlot reserves a slot, waits for it and asks for the permission to send. It returns false
// when a breaker has changed.
func (e *entry) acquireSlot(ctx context.Context, p *permit) (used bool, err error) {
	limit := e.limit(ctx)
	slow := 1
	for _, a := range p.admissions {
		slow = max(slow, a.slow)
	}
	d := budget.Demand{Interactive: e.call.Interactive, Limit: time.Until(limit), Slowdown: slow}
	if !d.Interactive && slow == 1 {
		// A caller that waits occupies a worker. And if many wait, each person that goes before
		// them makes all of them wait for longer than they can.
		d.Ahead = 1
	}
	s, err := e.flow.pace.Acquire(ctx, e.budget, d)
	if err != nil {
		return false, firstError(e.unreachable(ctx))
	}
	switch s.Decision {
	case budget.Granted:
	case budget.Blocked:
		return false, e.refuse(ctx, codes.Blocked, "", s.Wait)
	default: // budget.Paced
		return false, e.refuse(ctx, codes.Pace, "", s.Wait)
	}
	p.slot, p.hasSlot = s, true
	return e.send(ctx, p, limit)
}

// limit returns when waiting must end. A slot after the caller's own deadline would be lost.
func (e *entry) limit(ctx context.Context) time.Time {
	if d, ok := ctx.Deadline(); ok && d.Before(e.deadline) {
		return d
	}
	return e.deadline
}

// send waits for the permit's slot and asks for the permission to send, until it has one. A late
// call, an interactive caller or a throttle response may move the slot. send returns false when a
// breaker has changed.
func (e *entry) send(ctx context.Context, p *permit, limit time.Time) (ok bool, err error) {
	for {
		if err := sleep(ctx, time.Until(p.slot.Begin())-budget.Early); err != nil {
			return false, err
		}
		for _, a := range p.admissions {
			if a.breaker.changed(a.gen) {
				return false, nil
			}
		}
		if err := e.flow.pace.Send(ctx, e.budget, &p.slot); err != nil {
			return false, firstError(e.unreachable(ctx))
		}
		switch {
		case p.slot.Decision == budget.Granted:
			return true, sleep(ctx, time.Until(p.slot.Begin()))
		case p.slot.Begin().Before(limit):
		case p.slot.Decision == budget.Blocked:
			return false, e.refuse(ctx, codes.Blocked, "", p.slot.Wait)
		default: // budget.Paced
			return false, e.refuse(ctx, codes.Pace, "", p.slot.Wait)
		}
	}
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuse books a place for a background caller that is at least wait from now. An interactive
// caller returns after wait.
func (e *entry) refuse(ctx context.Context, why codes.Code, scope string, wait time.Duration) *Refused {
	if e.call.Interactive {
		return e.refusal(why, scope, wait)
	}
	booked, err := e.flow.calendar.Return(ctx, e.budget, wait)
	if err != nil {
		booked = wait + between(0, wait)
	}
	return e.refusal(why, scope, booked)
}

func (e *entry) refusal(why codes.Code, scope string, wait time.Duration) *Refused {
	return &Refused{Reason: why, Scope: scope, Tenant: e.budget.Tenant, until: time.Now().Add(wait)}
}

// unreachable returns the error for a request that Redis did not answer: the context's, or a
// refusal.
func (e *entry) unreachable(ctx context.Context) (*Refused, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return e.refusal(codes.Redis, "", between(time.Second, 2*time.Second)), nil
}

// firstError returns the error that is set, and never a typed nil.
func firstError(refused *Refused, err error) error {
	if err != nil || refused == nil {
		return err
	}
	return refused
}
