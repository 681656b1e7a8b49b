package flow

import "context"

// flight counts one tenant's calls under way in this process. A quarter of the places is for interactive callers alone;
// they take the common ones too.
type semaphore struct {
	common   chan struct{}
	reserved chan struct{}
}

func newSemaphore(places int) *semaphore {
	reserved := places / 4
	return &semaphore{common: make(chan struct{}, places-reserved), reserved: make(chan struct{}, reserved)}
}

// board waits for a place until ctx ends. It returns what gives the place back, or nil when there was none in time.
func (s *semaphore) acquire(ctx context.Context, interactive bool) (release func()) {
	var reserved chan struct{} // nil blocks for ever: no place for the background there
	if interactive {
		reserved = s.reserved
	}
	select { // an ended ctx must not lose against a free place by chance
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
