package budget

import (
	"context"
	"time"
)

// Throttled records that the vendor throttled the call that used the slot. named is the interval in
// the vendor's response, 0 when it named none. Errors are ignored: the next throttle response has
// the same effect.
func (p *Pace) Throttled(ctx context.Context, op Operation, s Slot, named time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = p.run(ctx, throttledScript, op, max(named, 0).Microseconds(), maxInterval.Microseconds(), s.sent, s.margin).Err()
}

// Block sends nothing of the operation for a while, at most an hour: the vendor asked not to be
// called before. Errors are ignored: the next response asks again.
func (p *Pace) Block(ctx context.Context, op Operation, wait time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = p.run(ctx, blockScript, op, min(max(wait, 0), maxBlock).Microseconds()).Err()
}
