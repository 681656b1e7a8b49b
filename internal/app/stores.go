package app

import (
	"cmp"
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// probeLife is how long a probe's key stays behind.
	probeLife = time.Minute
	// probeSlots is the number of slots among which a probe finds one of each primary of a cluster,
	// unless that owns far fewer slots than others.
	probeSlots = 200
)

// probe returns a function that finds out whether a Redis answers and accepts writes: for a cluster
// each of its primaries, since any task may need any of them.
func probe(s outage.Store, rdb redis.UniversalClient, space string) func(context.Context, bool) error {
	return func(ctx context.Context, _ bool) error {
		keys, err := probeKeys(ctx, rdb, space)
		if err != nil {
			return redisconn.Outage(s, err)
		}
		_, err = rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range keys {
				p.Set(ctx, key, 1, probeLife)
			}
			return nil
		})
		return redisconn.Outage(s, err)
	}
}

// probeKeys returns the keys that a probe writes. No tenant and no lane has their slots.
func probeKeys(ctx context.Context, rdb redis.UniversalClient, space string) (keys []string, err error) {
	cluster, ok := rdb.(*redis.ClusterClient)
	if !ok {
		return []string{tenant.GlobalKey(space, "_", "probe")}, nil
	}
	known := map[string]bool{}
	for n := range probeSlots {
		key := tenant.GlobalKey(space, "_"+strconv.Itoa(n), "probe")
		primary, err := cluster.MasterForKey(ctx, key)
		if err != nil {
			return nil, err
		}
		if address := primary.Options().Addr; !known[address] {
			known[address] = true
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// stores are the watches of a process's stores.
type stores struct{ queue, cache, ledger *outage.Watch }

// watchStores starts to watch the stores.
func (b *base) watchStores() (s stores, err error) {
	watch := func(store outage.Store, probe func(context.Context, bool) error) *outage.Watch {
		w := outage.NewWatch(outage.WatchOptions{Store: store, Probe: probe, Logger: b.log})
		err = cmp.Or(err, b.group.Go("watch of the "+store.String(), w.Run))
		return w
	}
	return stores{
		queue: watch(outage.Queue, probe(outage.Queue, b.queue, "q2")),
		cache: watch(outage.Cache, probe(outage.Cache, b.cacheRdb, "c1")),
		ledger: watch(outage.Ledger, func(ctx context.Context, inOutage bool) error {
			if inOutage {
				return b.ledger.CheckWrites(ctx)
			}
			return b.ledger.Ping(ctx)
		}),
	}, err
}

// outages counts the outages that were seen of all stores.
func (s stores) outages() int { return s.queue.Outages() + s.cache.Outages() + s.ledger.Outages() }

// present reports whether all stores answer.
func (s stores) present() bool {
	return s.queue.Present() && s.cache.Present() && s.ledger.Present()
}

// gate keeps a worker from taking tasks while a store that they need is unavailable. All tasks need
// queue and cache. Only some need the ledger, so that its absence closes the lanes in which a task
// has failed because of it.
//
// While the breaker of the vendor's host is open, it takes no tasks of the lanes in which all tasks
// need it.
type gate struct {
	stores
	recovery *recovery
	hostOpen func() bool // the breaker of the vendor's host is not closed

	mu     sync.Mutex
	closed map[string]bool // lanes, while the ledger is unavailable
}

func (b *base) newGate(hostOpen func() bool) (*gate, error) {
	watched, err := b.watchStores()
	if err != nil {
		return nil, err
	}
	r, err := b.newRecovery(watched, true)
	if err != nil {
		return nil, err
	}
	g := &gate{stores: watched, recovery: r, hostOpen: hostOpen, closed: map[string]bool{}}
	return g, b.group.Go("closed lanes", func(ctx context.Context) error { return g.report(ctx, b.queue) })
}

// reportEvery is how often a worker reports the lanes of which it takes no tasks.
const reportEvery = time.Second

// report reports them until ctx ends, so that an explanation of a task can name the store.
func (g *gate) report(ctx context.Context, rdb redis.UniversalClient) error {
	return every(ctx, reportEvery, func() {
		_ = queue.ReportClosed(ctx, rdb, g.closedLanes()) // the next report follows in a second
	})
}

// every calls do at intervals until ctx ends, and returns nil.
func every(ctx context.Context, interval time.Duration, do func()) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do()
		}
	}
}

// closedLanes returns the lanes of which the worker takes no tasks, and why.
func (g *gate) closedLanes() map[string]codes.Code {
	out := map[string]codes.Code{}
	if o := g.ledger.Outage(); o != nil {
		g.mu.Lock()
		for lane := range g.closed {
			out[lane] = o.Code()
		}
		g.mu.Unlock()
	}
	if o := g.cache.Outage(); o != nil {
		for _, lane := range queue.Lanes() {
			out[lane] = o.Code()
		}
	}
	return out
}

// vendorLanes are the lanes whose kinds of task all call the vendor.
var vendorLanes = func() map[string]bool {
	lanes := map[string]bool{}
	for _, k := range tasks.Kinds() {
		all, known := lanes[k.Options.Lane]
		lanes[k.Options.Lane] = k.Operation != "" && (all || !known)
	}
	return lanes
}()

// ready reports whether tasks of a lane may be taken.
func (g *gate) ready(lane string) bool {
	if !g.cache.Present() || !g.queue.Present() || g.recovery.holds(lane) {
		return false
	}
	if vendorLanes[lane] && g.hostOpen() {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ledger.Present() {
		clear(g.closed)
	}
	return !g.closed[lane]
}

// ended takes note of how a run of the lane ended.
func (g *gate) ended(ctx context.Context, lane string, code codes.Code) {
	s, ok := outage.StoreOf(code)
	if !ok {
		return
	}
	switch s {
	case outage.Queue:
		g.queue.Report(ctx, code)
	case outage.Cache:
		g.cache.Report(ctx, code)
	case outage.Ledger:
		g.ledger.Report(ctx, code)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.closed[lane] = true
	}
}
