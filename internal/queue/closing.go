package queue

import (
	"context"
	"sync/atomic"
	"time"
)

// ending is when a worker waits for Redis no longer.
type ending struct {
	context.Context //nolint:containedctx // ends at that time

	at atomic.Pointer[time.Time] // known from the call of Stop
}

type endingKey struct{}

// Closing returns a context with the values of ctx, a run's, for what the run must still write
// after its own context has ended. It ends after limit, and when the worker can wait no longer. A
// command that waits for a reply ends at the deadline of its context, not when that is canceled.
func Closing(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	deadline := time.Now().Add(limit)
	e, ok := ctx.Value(endingKey{}).(*ending)
	if !ok {
		return context.WithDeadline(context.WithoutCancel(ctx), deadline)
	}
	if at := e.at.Load(); at != nil && at.Before(deadline) {
		deadline = *at
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	stop := context.AfterFunc(e, cancel)
	return ctx, func() { stop(); cancel() }
}
