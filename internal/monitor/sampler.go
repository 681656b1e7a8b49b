package monitor

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

const (
	// lookEvery is how old what the pages show may be. Looking costs the same however many people watch.
	sampleInterval = 2 * time.Second
	// lookFresh is a little less, so that who asks every two seconds sees something new each time.
	sampleMaxAge  = sampleInterval * 9 / 10
	sampleTimeout = 4 * time.Second
)

// watch looks at both stores for everybody who watches.
type sampler struct {
	rdb    redis.UniversalClient
	ledger *ledger.Ledger

	mu   sync.Mutex
	last snapshot
}

// sight is how things stood at one moment. Each part has its own error, so that one store that is away hides nothing of
// the other.
type snapshot struct {
	At             time.Time
	Lanes          []queue.Standing
	LanesErr       error
	DeadLetters    []ledger.Count
	DeadLettersErr error
	Status         status.Document
	StatusAge      time.Duration
	StatusErr      error // status.ErrNone when no scheduler has written within a day
}

// look returns how things stand, or stood a moment ago.
func (w *sampler) sample(ctx context.Context) snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.last.At) < sampleMaxAge {
		return w.last
	}
	// Somebody who leaves must not spoil what the next one gets.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sampleTimeout)
	defer cancel()
	var s snapshot
	var wg sync.WaitGroup
	wg.Go(func() { s.Lanes, s.LanesErr = queue.Standings(ctx, w.rdb) })
	wg.Go(func() { s.DeadLetters, s.DeadLettersErr = w.ledger.Counts(ctx) })
	wg.Go(func() { s.Status, s.StatusAge, s.StatusErr = status.Read(ctx, w.rdb) })
	wg.Wait()
	s.At = time.Now()
	w.last = s
	return s
}

// attempts returns how often tasks of each kind may fail, as the scheduler last said.
func (w *sampler) attempts(ctx context.Context) map[string]int { return w.sample(ctx).Status.Attempts }

// statusKnown reports whether the scheduler's document tells about now.
func (s snapshot) statusCurrent() bool { return s.StatusErr == nil && s.StatusAge <= status.Late }

// since is when the scheduler last wrote; zero when it has not within a day.
func (s snapshot) since() time.Time {
	if errors.Is(s.StatusErr, status.ErrNone) || s.StatusErr != nil {
		return time.Time{}
	}
	return s.At.Add(-s.StatusAge)
}
