package tasks

import (
	"fmt"
	"time"
)

// Option changes how one task is enqueued.
type Option struct{ apply func(*settings) error }

// settings is what options change.
type settings struct {
	lane string
	at   time.Time
	once string
}

const (
	// farthest is how far ahead a task may be scheduled.
	farthest = 366 * 24 * time.Hour
	// maxOnce is the longest idempotency key in bytes.
	maxOnce = 256
)

// At lets the task wait until t, rounded up to the second. A t that has passed
// means now; the zero time and one more than a year ahead are refused.
func At(t time.Time) Option {
	return Option{func(s *settings) error {
		if t.IsZero() || time.Until(t) > farthest {
			return fmt.Errorf("%w: time is zero or more than a year ahead", ErrInvalid)
		}
		s.at = t
		return nil
	}}
}

// In lets the task wait for d, rounded up to the second. A negative d and one
// of more than a year are refused.
func In(d time.Duration) Option {
	return Option{func(s *settings) error {
		if d < 0 || d > farthest {
			return fmt.Errorf("%w: delay is negative or more than a year", ErrInvalid)
		}
		if d > 0 {
			s.at = time.Now().Add(d)
		}
		return nil
	}}
}

// Once makes the call repeatable: for 48 hours another call of the same tenant
// and lane with the same key answers with the first call's task and enqueues
// nothing. With another task it is refused with ErrReused. Of a batch, the
// second and later tasks have keys of their own.
func Once(key string) Option {
	return Option{func(s *settings) error {
		if key == "" || len(key) > maxOnce {
			return fmt.Errorf("%w: idempotency key is empty or longer than %d bytes", ErrInvalid, maxOnce)
		}
		s.once = key
		return nil
	}}
}

// Interactive moves the task to LaneInteractive: somebody waits for it.
func Interactive() Option {
	return Option{func(s *settings) error {
		s.lane = LaneInteractive
		return nil
	}}
}
