package tasks

import (
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// Option changes how one call of Enqueue or EnqueueMany enqueues its tasks. The zero Option changes
// nothing.
type Option struct{ apply func(*settings) error }

// settings are what options change.
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

// At delays the task until t, rounded up to a whole second. A time in the past means now. The zero
// time, and a time more than a year ahead, are ErrInvalid.
func At(t time.Time) Option {
	return Option{func(s *settings) error {
		if t.IsZero() || time.Until(t) > farthest {
			return fmt.Errorf("%w: time is zero or more than a year ahead", ErrInvalid)
		}
		s.at = t
		return nil
	}}
}

// In delays the task by d, rounded up to a whole second. 0 means no delay. A negative d, and one of
// more than a year, are ErrInvalid.
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

// Once makes the call safe to repeat. For 48 hours, another call for the same tenant and lane with
// the same key enqueues nothing and returns the receipt of the first call's task. It fails with
// ErrReused if it is about another task. A key has 1 to 256 bytes; others are ErrInvalid. In a
// batch, the first task has this key, and each later one a key derived from it and the task's
// position.
func Once(key string) Option {
	return Option{func(s *settings) error {
		if key == "" || len(key) > maxOnce {
			return fmt.Errorf("%w: idempotency key is empty or longer than %d bytes", ErrInvalid, maxOnce)
		}
		s.once = key
		return nil
	}}
}

// Interactive enqueues the task into LaneInteractive instead of its own lane, because a person
// waits for it. A task of a service's lane goes to service.interactive.
func Interactive() Option {
	return Option{func(s *settings) error {
		s.lane = queue.InteractiveOf(s.lane)
		return nil
	}}
}
