package alarm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
)

// Snapshot is the state of a deployment at one moment. Each part has its own error, so that one
// store that does not answer does not hide what the others say.
type Snapshot struct {
	At         time.Time
	Lanes      []queue.LaneStats
	LanesErr   error
	Workers    []queue.Worker
	WorkersErr error
	Status     status.Document
	StatusAge  time.Duration
	StatusErr  error               // status.ErrNone when no scheduler has written within a day
	Alerts     []ledger.AlertCount // by code
	LedgerErr  error
}

// Read reads the queue's Redis and the ledger, concurrently. Without a ledger, the snapshot has
// neither alerts nor an error of the ledger.
func Read(ctx context.Context, rdb redis.UniversalClient, l *ledger.Ledger) Snapshot {
	var s Snapshot
	var wg sync.WaitGroup
	wg.Go(func() { s.Lanes, s.LanesErr = queue.Stats(ctx, rdb) })
	wg.Go(func() { s.Workers, s.WorkersErr = queue.Workers(ctx, rdb) })
	wg.Go(func() { s.Status, s.StatusAge, s.StatusErr = status.Read(ctx, rdb) })
	if l != nil {
		wg.Go(func() { s.Alerts, s.LedgerErr = l.AlertCounts(ctx, ledger.AlertFilter{}) })
	}
	wg.Wait()
	s.At = time.Now()
	return s
}

// Current reports whether the scheduler's document describes the present.
func (s Snapshot) Current() bool { return s.StatusErr == nil && s.StatusAge <= status.Late }

// LastReport returns when a scheduler last wrote its document; zero if not within a day.
func (s Snapshot) LastReport() time.Time {
	if s.StatusErr != nil {
		return time.Time{}
	}
	return s.At.Add(-s.StatusAge)
}

// Unused reports that no process has done anything yet: the deployment is about to be started.
func (s Snapshot) Unused() bool {
	if !errors.Is(s.StatusErr, status.ErrNone) || s.LanesErr != nil || s.WorkersErr != nil || len(s.Workers) > 0 {
		return false
	}
	for _, l := range s.Lanes {
		if l.ProcessedTotal > 0 || waiting(l) > 0 {
			return false
		}
	}
	return true
}

// Waiting returns the number of tasks that wait in all lanes, those that are booked included.
func (s Snapshot) Waiting() int64 {
	var n int64
	for _, l := range s.Lanes {
		n += waiting(l)
	}
	return n
}

func waiting(l queue.LaneStats) int64 { return l.Pending + l.Scheduled + l.Retry }
