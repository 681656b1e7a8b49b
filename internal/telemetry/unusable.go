package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// unusableInterval is the shortest time between two lines about unusable values.
const unusableInterval = time.Minute

// unusable counts stored values that cannot be used and have not been logged yet. It logs without
// its lock: reads of the cache that meet such values must not wait for the log.
type unusable struct {
	log *slog.Logger

	mu    sync.Mutex
	tally tally
	timer *time.Timer // runs for unusableInterval after a line
}

// tally is the content of one line.
type tally struct {
	count       int
	class, code string // of the latest value
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

// Flush logs what waits for the next line about stored values that cannot be used. A process calls
// it when it ends.
func (t *Telemetry) Flush() {
	u := &t.unusable
	u.mu.Lock()
	if u.timer != nil {
		u.timer.Stop()
		u.timer = nil
	}
	due := u.take()
	u.mu.Unlock()
	u.write(due)
}

func (u *unusable) add(class, code string) {
	u.mu.Lock()
	u.tally = tally{u.tally.count + 1, class, code}
	var due tally
	if u.timer == nil {
		due = u.take()
		u.timer = time.AfterFunc(unusableInterval, u.expire)
	}
	u.mu.Unlock()
	u.write(due)
}

// expire logs what has been counted in the interval, and begins another one if that is anything.
func (u *unusable) expire() {
	u.mu.Lock()
	due := u.take()
	u.timer = nil
	if due.count > 0 {
		u.timer = time.AfterFunc(unusableInterval, u.expire)
	}
	u.mu.Unlock()
	u.write(due)
}

// take returns the tally and begins the next one. The caller holds the lock.
func (u *unusable) take() tally {
	due := u.tally
	u.tally = tally{}
	return due
}

func (u *unusable) write(due tally) {
	if due.count > 0 {
		u.log.WarnContext(context.Background(), "stored values cannot be used", "code", due.code, "class", due.class, "count", due.count)
	}
}
