package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// unusableInterval is the shortest time between two lines about unusable values.
const unusableInterval = time.Minute

// unusable counts stored values that cannot be used and have not been logged yet.
type unusable struct {
	log *slog.Logger

	mu          sync.Mutex
	count       int
	class, code string // of the latest value
	paused      bool   // a line was written less than a minute ago, and the timer runs
}

// ValueUnusable counts a stored value that was read and cannot be used, by its class and the reason
// for it. The first one is logged at once; after that, a line a minute at most has the number since
// the last line, and the latest class and code.
func ValueUnusable(ctx context.Context, class, code string) {
	t := from(ctx)
	t.metrics.unusable.Add(ctx, 1, labels(Class(class), Code(code)))
	if t.unusable.log != nil {
		t.unusable.add(class, code)
	}
}

func (u *unusable) add(class, code string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.count++
	u.class, u.code = class, code
	if !u.paused {
		u.write()
	}
}

// write logs the count. The caller holds the lock.
func (u *unusable) write() {
	u.log.WarnContext(context.Background(), "stored values cannot be used", "code", u.code, "class", u.class, "count", u.count)
	u.count, u.paused = 0, true
	time.AfterFunc(unusableInterval, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.paused = false; u.count > 0 {
			u.write()
		}
	})
}
