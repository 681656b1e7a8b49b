package plan

import "time"

// Clock is the time by which calendar decisions are made: opening hours, ticks, which day is today.
// It starts at an origin and runs at a constant multiple of real time. Leases, pace and the cache
// do not use it; they use the clock of Redis.
//
// The zero Clock is real time.
type Clock struct {
	origin time.Time // calendar time at since
	since  time.Time // real time, with its monotonic reading
	speed  float64
}

// NewClock returns a clock that shows origin now and runs speed times as fast as real time; a speed
// of 0 or less is 1.
func NewClock(origin time.Time, speed float64) Clock {
	if speed <= 0 {
		speed = 1
	}
	return Clock{origin: origin, since: time.Now(), speed: speed}
}

// isReal reports whether the calendar is real time.
func (c Clock) isReal() bool { return c.since.IsZero() }

// Now returns the calendar's time.
func (c Clock) Now() time.Time { return c.At(time.Now()) }

// At returns the calendar's time at a real time.
func (c Clock) At(t time.Time) time.Time {
	if c.isReal() {
		return t
	}
	return c.origin.Add(time.Duration(float64(t.Sub(c.since)) * c.speed))
}

// Real converts a span of calendar time to real time.
func (c Clock) Real(d time.Duration) time.Duration {
	if c.isReal() {
		return d
	}
	return time.Duration(float64(d) / c.speed)
}
