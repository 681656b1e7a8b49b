package monitor

import (
	"context"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
)

const (
	// sampleInterval is the greatest age of what the pages show. Sampling costs the same for any
	// number of viewers.
	sampleInterval = 2 * time.Second
	// sampleMaxAge is slightly shorter, so that a client that asks every two seconds gets a new
	// snapshot each time.
	sampleMaxAge  = sampleInterval * 9 / 10
	sampleTimeout = 4 * time.Second
)

// sampler reads both stores on behalf of all viewers.
type sampler struct {
	rdb    redis.UniversalClient
	ledger *ledger.Ledger

	mu   sync.Mutex
	last snapshot
}

// snapshot is the state of the system at one moment. Each part has its own error, so that one
// unreachable store does not hide the other's data.
type snapshot struct {
	At             time.Time
	Lanes          []queue.LaneStats
	LanesErr       error
	DeadLetters    []ledger.Count
	DeadLettersErr error
	Alerts         []ledger.Alert
	AlertCounts    []ledger.AlertCount // of all alerts, of which Alerts has some
	AlertsErr      error
	Status         status.Document
	StatusAge      time.Duration
	StatusErr      error // status.ErrNone when no scheduler has written within a day
}

// sample returns the current snapshot, or one that is at most sampleMaxAge old.
func (w *sampler) sample(ctx context.Context) snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.last.At) < sampleMaxAge {
		return w.last
	}
	// A viewer that disconnects must not cancel the snapshot for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	var s snapshot
	var wg sync.WaitGroup
	wg.Go(func() { s.Lanes, s.LanesErr = queue.Stats(ctx, w.rdb) })
	wg.Go(func() { s.DeadLetters, s.DeadLettersErr = w.ledger.Counts(ctx) })
	wg.Go(func() { s.Alerts, s.AlertCounts, s.AlertsErr = w.alerts(ctx) })
	wg.Go(func() { s.Status, s.StatusAge, s.StatusErr = status.Read(ctx, w.rdb) })
	wg.Wait()
	s.At = time.Now()
	w.last = s
	return s
}

// attempts returns how often tasks of each kind may fail, according to the scheduler's last report.
func (w *sampler) attempts(ctx context.Context) map[string]int { return w.sample(ctx).Status.Attempts }

// statusCurrent reports whether the scheduler's document describes the present.
func (s snapshot) statusCurrent() bool { return s.StatusErr == nil && s.StatusAge <= status.Late }

// lastReport returns when the scheduler last wrote its document; zero if not within a day.
func (s snapshot) lastReport() time.Time {
	if s.StatusErr != nil {
		return time.Time{}
	}
	return s.At.Add(-s.StatusAge)
}

// alerts returns some alerts, those that belong to no day first, and the number of all of them by
// code.
func (w *sampler) alerts(ctx context.Context) ([]ledger.Alert, []ledger.AlertCount, error) {
	counts, err := w.ledger.AlertCounts(ctx, ledger.AlertFilter{})
	if err != nil || len(counts) == 0 {
		return nil, nil, err
	}
	some, err := w.ledger.Alerts(ctx, ledger.AlertFilter{Limit: maxAlerts})
	return some, counts, err
}
