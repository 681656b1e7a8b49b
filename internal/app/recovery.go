package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// recoveryTick is how often a process looks at the cache's state and at the invalidations that
	// wait.
	recoveryTick = 200 * time.Millisecond
	// maxWaiting bounds the invalidations that one look returns. While there are more, everything
	// stays in doubt.
	maxWaiting = 5000
	// maxGap is how long a worker takes no tasks at most until the invalidations are brought
	// forward, and headStart how long all other lanes wait for those at most.
	maxGap    = time.Second
	headStart = 2 * time.Second
)

// invalidationLanes are the lanes that invalidations wait in.
var invalidationLanes = []string{queue.Interactive, queue.Quarantine}

// recovery follows the invalidations that were accepted and could not run because a store was
// unavailable. Until they have run the cache may call fresh what they are to invalidate. A process
// that starts has not seen the outages before, and begins as after one.
type recovery struct {
	stores
	rdb   redis.UniversalClient // the queue's
	log   *slog.Logger
	leads bool // brings the invalidations forward

	mu   sync.Mutex
	over int // the count of outages when all invalidations had run; -1 at first
	seen int // the count of outages when the following were listed; -1 at first
	// waiting are the invalidations that waited when the stores were back and have not run, by
	// task. While a store is unavailable they are those that wait.
	waiting map[string]tenant.ID
	digests map[string]bool // of them and of those that have run
	partial bool            // a store is still unavailable, or there are too many to list
	listed  time.Time
	gap     int // the count of outages after which the gate first asked
	gapAt   time.Time
}

// newRecovery starts to follow the stores. A process that leads also brings invalidations forward.
func (b *base) newRecovery(s stores, leads bool) (*recovery, error) {
	r := &recovery{stores: s, rdb: b.queue, log: b.log, leads: leads, over: -1, seen: -1, gap: -1}
	return r, b.group.Go("recovery", r.run)
}

func (r *recovery) run(ctx context.Context) error {
	tick := time.NewTicker(recoveryTick)
	defer tick.Stop()
	for {
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.DebugContext(ctx, "cannot list waiting invalidations", "error", err) // what is in doubt stays so
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look lists the invalidations that wait, unless there is nothing to wait for.
func (r *recovery) look(ctx context.Context) error {
	outages, present := r.outages(), r.present()
	r.mu.Lock()
	isOver, isFirst := r.over == outages, r.seen != outages || r.partial
	r.mu.Unlock()
	if isOver || !r.cache.Present() {
		return nil
	}
	var all []queue.WaitingTask
	more := false
	for _, lane := range invalidationLanes {
		found, err := queue.Waiting(ctx, r.rdb, lane, tasks.InvalidateEntity{}.Kind(), maxWaiting)
		if err != nil {
			return err
		}
		if r.leads && isFirst && present {
			if err := queue.Forward(ctx, r.rdb, lane, found, isOutage); err != nil {
				return err
			}
		}
		all, more = append(all, found...), more || len(found) == maxWaiting
	}
	r.update(ctx, outages, all, more || !present)
	return nil
}

func isOutage(c codes.Code) bool {
	_, ok := outage.StoreOf(c)
	return ok
}

// update keeps the invalidations that waited when the stores were back and still wait. One that
// failed may have been superseded by an equal one, which inherits its place. A partial list is
// listed again.
func (r *recovery) update(ctx context.Context, outages int, now []queue.WaitingTask, partial bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	isFirst := r.seen != outages || r.partial
	if isFirst {
		r.seen, r.listed, r.digests = outages, time.Now(), map[string]bool{}
	}
	still := map[string]tenant.ID{}
	for _, t := range now {
		_, waited := r.waiting[t.ID]
		digest := digestOf(t.ID)
		if isFirst || waited || t.Inherits() && r.digests[digest] {
			still[t.ID], r.digests[digest] = tenant.ID(t.Tenant), true
		}
	}
	if isFirst && !partial && len(still) > 0 {
		r.log.InfoContext(ctx, "invalidations have waited for a store, and run first", "tasks", len(still))
	}
	r.waiting, r.partial = still, partial
	if len(still) == 0 && !partial {
		r.over = outages
	}
}

func digestOf(id string) string {
	parsed, err := queue.ParseID(id)
	if err != nil {
		return id
	}
	return parsed.Digest
}

// doubt returns why what the cache holds of a tenant may not be fresh, or "".
func (r *recovery) doubt(t tenant.ID) codes.Code {
	if o := r.cache.Outage(); o != nil {
		return o.Code()
	}
	outages := r.outages()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over == outages:
		return ""
	case r.seen != outages, len(r.waiting) >= maxWaiting, !r.queue.Present():
		return codes.ChangesWaiting
	}
	for _, owner := range r.waiting {
		if owner == t || owner == "" {
			return codes.ChangesWaiting
		}
	}
	return ""
}

// holds reports whether a lane must let the invalidations go first.
func (r *recovery) holds(lane string) bool {
	outages := r.outages()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over == outages:
		return false
	case r.seen != outages:
		if r.gap != outages {
			r.gap, r.gapAt = outages, time.Now()
		}
		return time.Since(r.gapAt) < maxGap
	}
	return !slices.Contains(invalidationLanes, lane) && time.Since(r.listed) < headStart
}
