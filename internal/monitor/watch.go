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
	lookEvery = 2 * time.Second
	// lookFresh is a little less, so that who asks every two seconds sees something new each time.
	lookFresh = lookEvery * 9 / 10
	lookLimit = 4 * time.Second
)

// watch looks at both stores for everybody who watches.
type watch struct {
	rdb    redis.UniversalClient
	ledger *ledger.Ledger

	mu   sync.Mutex
	last sight
}

// sight is how things stood at one moment. Each part has its own error, so that one store that is away hides nothing of
// the other.
type sight struct {
	At         time.Time
	Lanes      []queue.Standing
	LanesErr   error
	Letters    []ledger.Count
	LettersErr error
	Status     status.Document
	StatusAge  time.Duration
	StatusErr  error // status.ErrNone when no scheduler has written within a day
}

// look returns how things stand, or stood a moment ago.
func (w *watch) look(ctx context.Context) sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.last.At) < lookFresh {
		return w.last
	}
	// Somebody who leaves must not spoil what the next one gets.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookLimit)
	defer cancel()
	var s sight
	var wg sync.WaitGroup
	wg.Go(func() { s.Lanes, s.LanesErr = queue.Standings(ctx, w.rdb) })
	wg.Go(func() { s.Letters, s.LettersErr = w.ledger.Counts(ctx) })
	wg.Go(func() { s.Status, s.StatusAge, s.StatusErr = status.Read(ctx, w.rdb) })
	wg.Wait()
	s.At = time.Now()
	w.last = s
	return s
}

// attempts returns how often tasks of each kind may fail, as the scheduler last said.
func (w *watch) attempts(ctx context.Context) map[string]int { return w.look(ctx).Status.Attempts }

// statusKnown reports whether the scheduler's document tells about now.
func (s sight) statusKnown() bool { return s.StatusErr == nil && s.StatusAge <= status.Late }

// since is when the scheduler last wrote; zero when it has not within a day.
func (s sight) since() time.Time {
	if errors.Is(s.StatusErr, status.ErrNone) || s.StatusErr != nil {
		return time.Time{}
	}
	return s.At.Add(-s.StatusAge)
}
