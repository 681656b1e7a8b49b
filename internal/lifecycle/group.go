package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrStopped is returned by [Group.Go] after Stop, because nothing would wait for the goroutine.
var ErrStopped = errors.New("lifecycle: group is stopped")

// Group owns goroutines. It is safe for concurrent use; [NewGroup] returns one.
type Group struct {
	ctx    context.Context //nolint:containedctx // the lifetime of the goroutines
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	wg      sync.WaitGroup
	err     error
	failed  chan error
}

// NewGroup returns a group. Its goroutines get a context that has ctx's values and ends at Stop or
// with ctx.
func NewGroup(ctx context.Context) *Group {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{ctx: ctx, cancel: cancel, failed: make(chan error, 1)}
}

// Go runs f in its own goroutine, or returns ErrStopped. If f panics, or returns an error before it
// is asked to end, the group fails: Failed delivers the first failure and Stop returns it.
// Returning nil early is not a failure.
func (g *Group) Go(name string, f func(context.Context) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return ErrStopped
	}
	g.wg.Go(func() {
		err := func() (err error) {
			defer recovered(&err)
			return f(g.ctx)
		}()
		// Errors during a stop are expected; a panic is a failure at any time.
		if err == nil || g.ctx.Err() != nil && !errors.Is(err, errPanic) {
			return
		}
		g.fail(fmt.Errorf("%s: %w", name, err))
	})
	return nil
}

func (g *Group) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
		g.failed <- err
	}
}

// Failed delivers the first failure, once. It is never closed.
func (g *Group) Failed() <-chan error { return g.failed }

// Stop ends the goroutines' context and waits for them. It returns the first failure, or an error
// if ctx ends while goroutines are still running. Every call waits and returns the same.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.cancel()

	done := make(chan struct{})
	go func() {
		g.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		// Both channels may be ready; goroutines that have ended must not be reported as running.
		select {
		case <-done:
		default:
			return fmt.Errorf("goroutines still running: %w", context.Cause(ctx))
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}
