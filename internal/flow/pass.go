package flow

import (
	"context"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// pass is one granted attempt.
type pass struct {
	entry      *entry
	admissions []*admission
	slot       slot
	taken      bool
	leave      func()
	once       sync.Once
}

// SendBy returns when half the margin has passed, reckoned from before Redis was asked: the slot cannot have begun
// earlier on this process's clock, so the bound is safe however long the answer took.
func (p *pass) SendBy() time.Time { return p.slot.asked.Add(p.slot.wait + p.slot.window) }

// Done frees the place, teaches pace and breakers, and gives back a slot that the vendor has not seen. Calls after the
// first do nothing.
func (p *pass) Done(ctx context.Context, o tebra.Outcome) {
	p.once.Do(func() {
		p.leave()
		for _, a := range p.admissions {
			a.done(ctx, o)
		}
		switch {
		case o.Void || o.NotSent:
			p.entry.flow.pace.giveBack(ctx, p.entry.pace, p.slot)
		case o.Code == tebra.Throttled:
			p.entry.flow.pace.throttled(ctx, p.entry.pace, p.entry.call, p.slot, o.Interval)
		}
	})
}

// undo gives back everything taken so far by a caller that does not go.
func (p *pass) undo(ctx context.Context) {
	p.leave()
	ctx = context.WithoutCancel(ctx)
	for _, a := range p.admissions {
		a.done(ctx, tebra.Outcome{Void: true, NotSent: true})
	}
	if p.taken {
		p.entry.flow.pace.giveBack(ctx, p.entry.pace, p.slot)
	}
}
