package flow

import "context"

// flight counts one tenant's calls under way in this process. A quarter of the places is for interactive callers alone;
// they take the common ones too.
type flight struct {
	common   chan struct{}
	reserved chan struct{}
}

func newFlight(places int) *flight {
	reserved := places / 4
	return &flight{common: make(chan struct{}, places-reserved), reserved: make(chan struct{}, reserved)}
}

// board waits for a place until ctx ends. It returns what gives the place back, or nil when there was none in time.
func (f *flight) board(ctx context.Context, interactive bool) (leave func()) {
	var reserved chan struct{} // nil blocks for ever: no place for the background there
	if interactive {
		reserved = f.reserved
	}
	select { // an ended ctx must not lose against a free place by chance
	case f.common <- struct{}{}:
		return func() { <-f.common }
	default:
	}
	select {
	case f.common <- struct{}{}:
		return func() { <-f.common }
	case reserved <- struct{}{}:
		return func() { <-f.reserved }
	case <-ctx.Done():
		return nil
	}
}
