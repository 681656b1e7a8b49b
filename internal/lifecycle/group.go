package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrStopped is returned by [Group.Go] after Stop: nobody would wait for the goroutine.
var ErrStopped = errors.New("lifecycle: group is stopped")

// Group owns goroutines. NewGroup makes one; it is safe for concurrent use.
type Group struct {
	ctx    context.Context //nolint:containedctx // the goroutines' own lifetime, which is what the group is
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	wg      sync.WaitGroup
	err     error
	failed  chan error
}

// NewGroup returns a group whose goroutines get a context with ctx's values that ends at Stop, or when ctx does.
func NewGroup(ctx context.Context) *Group {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{ctx: ctx, cancel: cancel, failed: make(chan error, 1)}
}

// Go runs f in a goroutine of its own, or returns ErrStopped. An error or a panic of f while nobody asked it to end is a
// failure of the group: the first one is sent on Failed, and Stop returns it. Returning nil early is no failure.
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
		// After the end was asked for, errors tell only how hastily it was obeyed; a panic is a fault at any time.
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

// Stop ends the goroutines' context and waits until they have returned, or until ctx ends, which is an error: goroutines
// are still running then. It returns the first failure otherwise. Every call waits and returns the same.
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
		// A goroutine that ended in time must not look late because the deadline came in the same moment.
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
