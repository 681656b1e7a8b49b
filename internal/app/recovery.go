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
	// wait. A look that takes long lowers the rate: lookShare looks fit between two, and at most
	// maxPause.
	recoveryTick = 200 * time.Millisecond
	lookShare    = 20
	maxPause     = 5 * time.Second
	// maxWaiting bounds the invalidations that one look returns. While there are more, or a lane is
	// too long to be listed, everything stays in doubt.
	maxWaiting = 5000
	// maxGap is how long a worker takes no tasks at most until the invalidations are brought
	// forward, and headStart how long all other lanes wait for those at most.
	maxGap    = time.Second
	headStart = 2 * time.Second
	// longestWait is longer than the waits of tasks that a store has postponed.
	longestWait = 5 * time.Second
)

// invalidationLanes are the lanes that invalidations wait in.
var invalidationLanes = []string{queue.Interactive, queue.Quarantine}

// recovery follows the invalidations that were accepted and could not run because a store was
// unavailable. Until they have run the cache may call fresh what they are to invalidate. A process
// that starts has not seen the outages before, and begins as after one.
type recovery struct {
	stores
	log   *slog.Logger
	leads bool                  // brings the invalidations forward
	rdb   redis.UniversalClient // the queue's, if it leads
	// These are used by run alone: the lists of invalidationLanes, and those of their tasks that
	// were brought forward after the outage with the count ledAfter.
	lists    []*queue.WaitingList
	led      map[string]bool
	ledAfter int
	resumed  int // the count of outages after which all postponed tasks were brought forward

	mu   sync.Mutex
	over int // the count of outages when all invalidations had run; -1 at first
	seen int // the count of outages when the following were listed; -1 at first
	// waiting are the invalidations that waited when the stores were back and have not run, by
	// task. While a store is unavailable they are those that wait.
	waiting map[string]tenant.ID
	digests map[string]bool // of them and of those that have run
	partial bool            // a store is still unavailable, or not all could be listed
	cut     bool            // not all could be listed
	head    int             // the count of outages after which the head start began; -1 at first
	headAt  time.Time
	next    int // of waiting, those that can run and that no worker has taken
	gap     int // the count of outages after which the gate first asked
	gapAt   time.Time
}

func newRecovery(s stores, log *slog.Logger, leads bool, lists ...*queue.WaitingList) *recovery {
	return &recovery{stores: s, log: log, leads: leads, lists: lists, ledAfter: -1, resumed: -1, over: -1, seen: -1, head: -1, gap: -1}
}

// newRecovery starts to follow the stores. A process that leads also brings invalidations forward.
func (b *base) newRecovery(s stores, leads bool) (*recovery, error) {
	var lists []*queue.WaitingList
	for _, lane := range invalidationLanes {
		lists = append(lists, queue.NewWaitingList(b.queue, lane, tasks.InvalidateEntity{}.Kind()))
	}
	r := newRecovery(s, b.log, leads, lists...)
	r.rdb = b.queue
	return r, b.group.Go("recovery", r.run)
}

func (r *recovery) run(ctx context.Context) error {
	for {
		began := time.Now()
		err := r.look(ctx)
		if err != nil && ctx.Err() == nil {
			r.log.DebugContext(ctx, "cannot list waiting invalidations", "error", err) // what is in doubt stays so
		}
		pause := time.NewTimer(pauseAfter(time.Since(began), err))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil
		case <-pause.C:
		}
	}
}

// pauseAfter returns the pause after a look. One that failed says nothing about the work that looks
// cause: a queue that is frozen answers after seconds, and may be back at once.
func pauseAfter(took time.Duration, err error) time.Duration {
	if err != nil {
		return recoveryTick
	}
	return min(max(recoveryTick, lookShare*took), maxPause)
}

// look lists the invalidations that wait, unless there is nothing to wait for, or nothing to list
// them with.
func (r *recovery) look(ctx context.Context) error {
	outages, present := r.outages(), r.present()
	r.mu.Lock()
	isOver, isFirst := r.over == outages, r.seen != outages || r.partial
	r.mu.Unlock()
	if isOver || !r.cache.Present() || !r.queue.Present() {
		return nil
	}
	if r.ledAfter != outages {
		r.led, r.ledAfter = nil, outages
	}
	if r.leads && present && r.resumed != outages {
		if err := r.resume(ctx); err != nil {
			return err
		}
		r.resumed = outages
	}
	var all []queue.WaitingTask
	cut := false
	for _, list := range r.lists {
		found, complete, err := list.Read(ctx, maxWaiting)
		if err != nil {
			return err
		}
		if r.leads && isFirst && present {
			next := slices.DeleteFunc(slices.Clone(found), func(t queue.WaitingTask) bool { return r.led[t.ID] })
			if err := list.Forward(ctx, next, isOutage); err != nil {
				return err
			}
		}
		all, cut = append(all, found...), cut || !complete
	}
	if r.leads && isFirst && present {
		r.led = map[string]bool{}
		for _, t := range all {
			r.led[t.ID] = true
		}
	}
	r.update(ctx, outages, all, present, cut)
	return nil
}

// resume lets the tasks that a store has postponed run at once. Invalidations come forward after
// them, and so run first.
func (r *recovery) resume(ctx context.Context) error {
	for _, lane := range queue.Lanes() {
		if err := queue.Hasten(ctx, r.rdb, lane, longestWait, isOutage); err != nil {
			return err
		}
	}
	return nil
}

func isOutage(c codes.Code) bool {
	_, ok := outage.StoreOf(c)
	return ok
}

// update keeps the invalidations that waited when the stores were back and still wait. One that
// failed may have been superseded by an equal one, which inherits its code; it may appear one look
// later. While a store is unavailable, or not all are listed, the list begins again.
func (r *recovery) update(ctx context.Context, outages int, now []queue.WaitingTask, present, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	isFirst := r.seen != outages || r.partial
	if isFirst {
		r.seen, r.digests = outages, map[string]bool{}
	}
	if present && r.head != outages {
		r.head, r.headAt = outages, time.Now()
	}
	still := map[string]tenant.ID{}
	r.next = 0
	for _, t := range now {
		_, waited := r.waiting[t.ID]
		digest := digestOf(t.ID)
		if isFirst || waited || t.Code != "" && r.digests[digest] {
			still[t.ID], r.digests[digest] = tenant.ID(t.Tenant), true
			if t.ComesForward(isOutage) {
				r.next++
			}
		}
	}
	partial := cut || !present
	if isFirst && !partial && len(still) > 0 {
		r.log.InfoContext(ctx, "invalidations have waited for a store, and run first", "tasks", len(still))
	}
	if len(still) == 0 && len(r.waiting) == 0 && !partial {
		r.over = outages
	}
	r.waiting, r.partial, r.cut = still, partial, cut
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
	case r.seen != outages, r.cut, !r.queue.Present():
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
	return r.head == outages && (r.next > 0 || r.cut) && time.Since(r.headAt) < headStart && !slices.Contains(invalidationLanes, lane)
}
