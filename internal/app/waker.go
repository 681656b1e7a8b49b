package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	wakeTick = 250 * time.Millisecond
	// wakeAtOnce is how many tasks of one breaker come forward at each tick, so that the workers
	// are not flooded with tasks that their accounts' budgets refuse.
	wakeAtOnce = 16
	// postponedAfter is how long after its call a task has been postponed.
	postponedAfter = 500 * time.Millisecond
	// sleeperLife is longer than a task waits because of a breaker or of a failure.
	sleeperLife = 15 * time.Minute
	maxSleepers = 4096
	// loginPause is how often the credentials of a tenant are read whose tasks wait for them.
	loginPause = 15 * time.Second
)

// waker is the gate of a worker. It remembers the tasks whose calls a breaker has refused, or that
// failed before one opened, and brings them forward when it closes: they do not wait for the end of
// their back-off. A process that ends forgets them, and they run when that ends.
type waker struct {
	*flow.Flow
	rdb    redis.UniversalClient
	log    *slog.Logger
	reload func(context.Context, tenant.ID) (*account.Account, error)

	mu       sync.Mutex
	sleepers map[breaker.Name][]sleeper
	count    int
	logins   map[tenant.ID]time.Time // when the credentials were read last
}

// sleeper is a task that waits.
type sleeper struct {
	lane, id string
	at       time.Time
	failed   bool // its call failed; otherwise the breaker refused it
}

func newWaker(f *flow.Flow, rdb redis.UniversalClient, log *slog.Logger) *waker {
	return &waker{Flow: f, rdb: rdb, log: log, sleepers: map[breaker.Name][]sleeper{}, logins: map[tenant.ID]time.Time{}}
}

// Enter asks the Flow.
func (w *waker) Enter(ctx context.Context, c tebra.Call) (tebra.Pass, error) {
	p, err := w.Flow.Enter(ctx, c)
	var refused *flow.Refused
	if errors.As(err, &refused) && refused.Reason == codes.Breaker {
		w.note(ctx, refused.Breaker(), false)
	}
	if err != nil {
		return nil, err
	}
	return pass{Pass: p, waker: w, call: c}, nil
}

// pass is a permit whose outcome the waker sees.
type pass struct {
	tebra.Pass
	waker *waker
	call  tebra.Call
}

// Done reports the outcome.
func (p pass) Done(ctx context.Context, o tebra.Outcome) {
	p.Pass.Done(ctx, o)
	if id, err := tenant.Parse(p.call.Account); err == nil && (o.Code == tebra.Unavailable || o.Code == tebra.Timeout) && !o.Void {
		p.waker.note(ctx, breaker.Name{Tenant: id, Scope: p.call.Operation}, true)
	}
}

// note remembers the task of a call, if a task made it.
func (w *waker) note(ctx context.Context, n breaker.Name, failed bool) {
	id, ok := asynq.GetTaskID(ctx)
	lane, inLane := asynq.GetQueueName(ctx)
	if !ok || !inLane {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count < maxSleepers {
		w.sleepers[n] = append(w.sleepers[n], sleeper{lane: lane, id: id, at: time.Now(), failed: failed})
		w.count++
	}
}

// run brings tasks forward until ctx ends.
func (w *waker) run(ctx context.Context) error {
	return every(ctx, wakeTick, func() {
		for _, n := range w.names() {
			w.wake(ctx, n)
		}
	})
}

// names returns the breakers that tasks wait for.
func (w *waker) names() []breaker.Name {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]breaker.Name, 0, len(w.sleepers))
	for n := range w.sleepers {
		out = append(out, n)
	}
	return out
}

// wake brings tasks forward that wait for a breaker, if they need not wait any more.
func (w *waker) wake(ctx context.Context, n breaker.Name) {
	host, known := w.Breaker(breaker.Name{Scope: breaker.Host})
	own, needed := w.Breaker(n)
	if !known || !needed || !host.Until.IsZero() {
		return
	}
	most := wakeAtOnce
	if !own.Until.IsZero() {
		if n.Scope != breaker.Credential || !w.loginChanged(ctx, n.Tenant, own) {
			return
		}
		most = 1 // its call tests the new login, and wakes the others
	}
	lanes := w.take(n, most, func(s sleeper) bool {
		return !s.failed || host.Closed.After(s.at) || own.Closed.After(s.at)
	})
	for lane, tasks := range lanes {
		err := queue.NewWaitingList(w.rdb, lane, "").Forward(ctx, tasks, func(codes.Code) bool { return true })
		if err != nil && ctx.Err() == nil {
			w.log.DebugContext(ctx, "tasks wait out their back-off", "error", err)
		}
	}
}

// take removes up to most tasks that wait for a breaker and that may run, the oldest first, by
// lane, and all that no longer wait.
func (w *waker) take(n breaker.Name, most int, may func(sleeper) bool) map[string][]queue.WaitingTask {
	w.mu.Lock()
	defer w.mu.Unlock()
	lanes := map[string][]queue.WaitingTask{}
	now, kept, all := time.Now(), []sleeper(nil), w.sleepers[n]
	for _, s := range all {
		age := now.Sub(s.at)
		switch {
		case age > sleeperLife:
		case most == 0 || age < postponedAfter || !may(s):
			kept = append(kept, s)
		default:
			most--
			lanes[s.lane] = append(lanes[s.lane], queue.WaitingTask{ID: s.id, Place: queue.StateRetry})
		}
	}
	w.count -= len(all) - len(kept)
	if w.sleepers[n] = kept; len(kept) == 0 {
		delete(w.sleepers, n)
	}
	return lanes
}

// loginChanged reports whether a tenant has another login than the one that its breaker is open
// for.
func (w *waker) loginChanged(ctx context.Context, id tenant.ID, v breaker.Shared) bool {
	w.mu.Lock()
	due := time.Since(w.logins[id]) >= loginPause
	if due {
		w.logins[id] = time.Now()
	}
	w.mu.Unlock()
	if !due {
		return false
	}
	a, err := w.reload(ctx, id)
	return err == nil && !v.IsOpen(a.Login)
}
