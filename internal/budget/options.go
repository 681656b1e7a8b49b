package budget

import (
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Options configures a Pace and a Calendar. Everything but Redis has a default that suits the
// vendor; demos and tests scale it.
type Options struct {
	// Redis is the queue's: losing its keys costs a moment of caution, evicting them would cost
	// throttles. Required.
	Redis redis.UniversalClient
	// MaxWait is how long a caller may wait for its slot. Defaults to 2 s.
	MaxWait time.Duration
	// MinMargin is the least margin on top of an interval. Defaults to 10 ms.
	MinMargin time.Duration
	// Horizon is how far ahead the background is booked in order. What does not fit is spread over
	// the second half of it. Defaults to a day.
	Horizon time.Duration
}

func (o Options) withDefaults() Options {
	orDefault(&o.MaxWait, 2*time.Second)
	orDefault(&o.MinMargin, 10*time.Millisecond)
	orDefault(&o.Horizon, 24*time.Hour)
	return o
}

func orDefault(d *time.Duration, otherwise time.Duration) {
	if *d == 0 {
		*d = otherwise
	}
}

func (o Options) check() error {
	if o.Redis == nil {
		return errors.New("budget: Options.Redis is required")
	}
	if min(o.MaxWait, o.MinMargin, o.Horizon) < 0 {
		return errors.New("budget: a negative duration in Options")
	}
	return nil
}
