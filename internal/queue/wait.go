package queue

import (
	"context"
	"math/rand/v2"
	"time"
)

// wholeSeconds rounds up: asynq truncates to seconds and treats zero as 30 minutes.
func wholeSeconds(d time.Duration) time.Duration {
	return max(time.Second, (d + time.Second - 1).Truncate(time.Second))
}

// ceilSecond rounds up: asynq truncates to seconds, which would run a task early.
func ceilSecond(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); !cut.Equal(t) {
		return cut.Add(time.Second)
	}
	return t
}

// backoff returns a full-jitter wait before try n; the first try is 1.
func backoff(n int, base, limit time.Duration) time.Duration {
	return rand.N(min(limit, base<<min(n, 16))) + time.Millisecond
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
