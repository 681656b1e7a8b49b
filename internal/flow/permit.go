package flow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
)

// permit is one granted attempt.
type permit struct {
	entry      *entry
	admissions []*admission
	slot       budget.Slot
	hasSlot    bool
	place      *waiter
	once       sync.Once
}

// untimed are the codes of attempts whose latency is not that of an answer to the call. A vendor
// that hangs would be given more and more calls.
var untimed = []tebra.Code{tebra.Throttled, tebra.Unavailable, tebra.Timeout, tebra.Canceled}

// Confirm reports whether the call may be sent now; see [budget.Pace.Confirm].
func (p *permit) Confirm(ctx context.Context) bool {
	return p.entry.flow.pace.Confirm(ctx, p.entry.budget, &p.slot)
}

// Done releases the place, reports the outcome to pace and breakers, refunds the slot of a call
// that was not sent, and blocks the operation for as long as the vendor asks. It counts the
// call. Calls after the first do nothing.
func (p *permit) Done(ctx context.Context, o tebra.Outcome) {
	p.once.Do(func() {
		if o.Latency > 0 && !slices.Contains(untimed, o.Code) {
			p.entry.flow.places.ended(p.entry.share, p.entry.call.Operation, o.Latency, p.spacing())
		}
		p.entry.flow.places.release(p.place)
		p.report(ctx, o)
		switch {
		case o.Void || o.NotSent:
			p.entry.flow.pace.Refund(ctx, p.entry.budget, p.slot)
		case o.Code == tebra.Throttled:
			p.entry.flow.pace.Throttled(ctx, p.entry.budget, p.slot, o.Interval)
		}
		if o.RetryAfter > 0 {
			p.entry.flow.pace.Block(ctx, p.entry.budget, o.RetryAfter)
		}
		p.entry.flow.sent(ctx, p.entry.budget, o)
		p.entry.flow.exchange(context.WithoutCancel(ctx)) // last: a slow Redis delays no report
	})
}

// report reports the outcome to the breakers, and remembers a call that has worked.
func (p *permit) report(ctx context.Context, o tebra.Outcome) {
	f := p.entry.flow
	for _, a := range p.admissions {
		switch a.done(ctx, o) {
		case opened:
			if a.breaker == f.host {
				f.forgetSuspicions()
			}
			f.watchFor(a.breaker)
		case suspicious:
			f.watchFor(a.breaker)
		case unremarkable:
		}
	}
	if o.Code == "" && !o.NotSent && !o.Void && p.entry.call.Class != tebra.Write && len(p.admissions) > 0 {
		f.works(worked{tenant: p.entry.budget.Tenant, operation: p.entry.call.Operation, at: p.admissions[0].began, latency: o.Latency})
	}
}

// spacing returns the present spacing of the operation's slots; 0 if the permit does not show it.
func (p *permit) spacing() time.Duration {
	if p.entry.call.Interactive {
		return 0
	}
	return p.slot.Spacing()
}

// undo releases everything that was acquired for a call that will not be sent.
func (p *permit) undo(ctx context.Context) {
	p.entry.flow.places.release(p.place)
	ctx = context.WithoutCancel(ctx)
	for _, a := range p.admissions {
		_ = a.done(ctx, tebra.Outcome{Void: true, NotSent: true})
	}
	if p.hasSlot {
		p.entry.flow.pace.Refund(ctx, p.entry.budget, p.slot)
	}
}
