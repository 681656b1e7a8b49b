package flow

import "context"

// semaphore limits one tenant's calls in flight from this process. A quarter of the places is
// reserved for interactive callers, which may use the common places too.
type semaphore struct {
	common   chan struct{}
	reserved chan struct{}
}

func newSemaphore(places int) *semaphore {
	reserved := places / 4
	return &semaphore{common: make(chan struct{}, places-reserved), reserved: make(chan struct{}, reserved)}
}

// acquire waits for a place until ctx ends. It returns the function that releases the place, or nil
// when none became free in time.
func (s *semaphore) acquire(ctx context.Context, interactive bool) (release func()) {
	var reserved chan struct{} // nil blocks forever: the background has no reserved place
	if interactive {
		reserved = s.reserved
	}
	select { // select chooses at random, so a free place must be tried before ctx
	case s.common <- struct{}{}:
		return func() { <-s.common }
	default:
	}
	select {
	case s.common <- struct{}{}:
		return func() { <-s.common }
	case reserved <- struct{}{}:
		return func() { <-s.reserved }
	case <-ctx.Done():
		return nil
	}
}
