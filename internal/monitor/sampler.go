package monitor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/ledger"
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
	alarm.Snapshot // its Alerts are the counts of all alerts, of which FirstAlerts has some

	DeadLetters    []ledger.Count
	DeadLettersErr error
	FirstAlerts    []ledger.Alert
	AlertsErr      error
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
	wg.Go(func() { s.Snapshot = alarm.Read(ctx, w.rdb, w.ledger) })
	wg.Go(func() { s.DeadLetters, s.DeadLettersErr = w.ledger.Counts(ctx) })
	wg.Go(func() { s.FirstAlerts, s.AlertsErr = w.ledger.Alerts(ctx, ledger.AlertFilter{Limit: maxAlerts}) })
	wg.Wait()
	if s.LedgerErr == nil {
		s.LedgerErr = errors.Join(s.DeadLettersErr, s.AlertsErr)
	}
	w.last = s
	return s
}

// attempts returns how often tasks of each kind may fail, according to the scheduler's last report.
func (w *sampler) attempts(ctx context.Context) map[string]int { return w.sample(ctx).Status.Attempts }
