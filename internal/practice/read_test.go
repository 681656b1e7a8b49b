package practice

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
)

// watcher counts what reads of one view do on a Redis client, and holds the client's first command
// of one kind back until it is released.
type watcher struct {
	view, visit string // the Redis keys of the view's entry and of one visit that it shows
	reads       atomic.Int64
	builds      atomic.Int64

	hold    holdable
	once    sync.Once
	held    chan struct{} // closed when the command is held back
	release chan struct{}
}

func (h *watcher) step(ctx context.Context, cmds []redis.Cmder, next func() error) error {
	for _, cmd := range cmds {
		if h.hold(h, cmd) {
			h.once.Do(func() {
				close(h.held)
				select {
				case <-h.release:
				case <-ctx.Done():
				}
			})
		}
	}
	err := next()
	for _, cmd := range cmds {
		switch {
		case isGet(cmd, h.view):
			h.reads.Add(1)
		case isGet(cmd, h.visit):
			h.builds.Add(1)
		}
	}
	return err
}

func isGet(cmd redis.Cmder, key string) bool {
	args := cmd.Args()
	return len(args) > 1 && args[0] == "get" && args[1] == key
}

func (h *watcher) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *watcher) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.step(ctx, []redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (h *watcher) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.step(ctx, cmds, func() error { return next(ctx, cmds) })
	}
}

// holdable picks the command that a watcher holds back.
type holdable func(h *watcher, cmd redis.Cmder) bool

// beforeGrant is the request for a grant.
func beforeGrant(h *watcher, cmd redis.Cmder) bool {
	args := cmd.Args()
	return len(args) > 3 && args[0] == "evalsha" && args[3] == h.view
}

// duringBuild is a build's read of a visit.
func duringBuild(h *watcher, cmd redis.Cmder) bool { return isGet(cmd, h.visit) }

func never(*watcher, redis.Cmder) bool { return false }

// viewCase is one view of the ward and how it is read. All of them show the visit 900000 of the
// patient 1000.
type viewCase struct {
	key  func(sc scope) cache.Key
	read func(ctx context.Context, s *Store) (rows int, fresh Freshness, err error)
}

var viewCases = map[string]viewCase{
	"board": {
		func(sc scope) cache.Key { own, _ := boardView{sc, monday}.keys(); return own },
		func(ctx context.Context, s *Store) (int, Freshness, error) {
			r, err := s.Board(ctx, clinic, "7", monday)
			return len(r.Board.Rows), r.Freshness, err
		},
	},
	"provider day": {
		func(sc scope) cache.Key { own, _ := providerDayView{sc, "70", monday}.keys(); return own },
		func(ctx context.Context, s *Store) (int, Freshness, error) {
			r, err := s.ProviderDay(ctx, clinic, "7", "70", monday)
			return len(r.ProviderDay.Rows), r.Freshness, err
		},
	},
	"card": {
		func(sc scope) cache.Key { own, _ := cardView{sc, "1000", monday}.keys(); return own },
		func(ctx context.Context, s *Store) (int, Freshness, error) {
			r, err := s.PatientCard(ctx, clinic, "7", "1000", monday)
			return len(r.Card.Visits), r.Freshness, err
		},
	},
}

func onEachView(t *testing.T, test func(t *testing.T, v *lostView)) {
	t.Helper()
	for name, c := range viewCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newLostView(t, c))
		})
	}
}

// lostView is a view that is complete but no longer in the cache.
type lostView struct {
	*ward
	viewCase
	want  readResult // of every read that builds it or shares a build
	visit cache.Key
	waits atomic.Int64 // reads that have begun to wait for another one's build
}

type readResult struct {
	rows  int
	fresh Freshness
	err   error
}

func newLostView(t *testing.T, c viewCase) *lostView {
	t.Helper()
	v := &lostView{ward: newWard(t), viewCase: c}
	sc := v.store.scope(clinic, "7")
	v.visit = sc.key(visitClass, sc.names.Appointment("900000"))
	v.want.rows, v.want.fresh, v.want.err = c.read(t.Context(), v.store)
	if !v.want.fresh.Hit || v.want.rows == 0 {
		t.Fatalf("before the view is lost: %+v", v.want)
	}
	v.want.fresh.Hit = false
	v.lose(t, c.key(sc))
	return v
}

// process is a store of its own process on the same Redis, and its watcher.
func (v *lostView) process(t *testing.T, hold holdable) (*Store, *watcher) {
	t.Helper()
	h := &watcher{
		view: entryKey(v.key(v.store.scope(clinic, "7"))), visit: entryKey(v.visit), hold: hold,
		held: make(chan struct{}), release: make(chan struct{}),
	}
	rdb := redis.NewClient(v.rdb.Options())
	t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(h)
	o := v.options
	o.Redis = rdb
	c, err := cache.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return NewStore(c, v.keys), h
}

func (v *lostView) start(ctx context.Context, s *Store, n int) <-chan readResult {
	out := make(chan readResult, n)
	for range n {
		go func() {
			var r readResult
			r.rows, r.fresh, r.err = v.read(countWaits{ctx, &v.waits}, s)
			out <- r
		}()
	}
	return out
}

func received(t *testing.T, results <-chan readResult) readResult {
	t.Helper()
	select {
	case r := <-results:
		return r
	case <-time.After(20 * time.Second):
		t.Fatal("a read takes more than 20 s")
		panic("unreachable")
	}
}

func equals(t *testing.T, results <-chan readResult, want readResult) {
	t.Helper()
	for range cap(results) {
		if got := received(t, results); got != want {
			t.Errorf("a read returns %+v, want %+v", got, want)
		}
	}
}

// countWaits counts the reads that wait in Cache.Load, which is when that asks for Done.
type countWaits struct {
	context.Context
	n *atomic.Int64
}

func (c countWaits) Done() <-chan struct{} {
	pc := make([]uintptr, 1)
	frame, _ := runtime.CallersFrames(pc[:runtime.Callers(2, pc)]).Next()
	if strings.HasSuffix(frame.Function, "(*Cache).wait") {
		c.n.Add(1)
	}
	return c.Context.Done()
}

// waiting waits until n reads wait for another one's build.
func (v *lostView) waiting(t *testing.T, n int64) { reached(t, "reads that wait", &v.waits, n) }

// misses waits until the view's entry was read n times; each read that misses does that once before
// it waits or builds.
func (h *watcher) misses(t *testing.T, n int64) { reached(t, "reads of the view", &h.reads, n) }

func reached(t *testing.T, what string, count *atomic.Int64, n int64) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for count.Load() < n {
		select {
		case <-deadline:
			t.Fatalf("waited 20 s for %d %s, saw %d", n, what, count.Load())
		case <-tick.C:
		}
	}
}

func TestConcurrentReadsShareOneBuild(t *testing.T) {
	t.Parallel()
	for name, hold := range map[string]holdable{"all miss before the grant": beforeGrant, "all but one miss later": duringBuild} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachView(t, func(t *testing.T, v *lostView) {
				s, h := v.process(t, hold)
				results := v.start(t.Context(), s, 50)
				v.waiting(t, 49)
				close(h.release)
				equals(t, results, v.want)
				if n := h.builds.Load(); n != 1 {
					t.Errorf("50 concurrent reads built the view %d times", n)
				}
				if _, fresh, err := v.read(t.Context(), s); err != nil || !fresh.Hit {
					t.Errorf("the next read: %+v, %v", fresh, err)
				}
			})
		})
	}
}

func TestConcurrentReadsShareOneBuildOfAnIncompleteView(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		v.lose(t, v.visit)
		v.want.rows--
		v.want.fresh.Missing = 1
		s, h := v.process(t, beforeGrant)
		results := v.start(t.Context(), s, 50)
		v.waiting(t, 49)
		close(h.release)
		equals(t, results, v.want)
		if n := h.builds.Load(); n != 1 {
			t.Errorf("50 concurrent reads built the view %d times", n)
		}
		equals(t, v.start(t.Context(), s, 1), v.want) // at once: an incomplete view is not a failure
		if n := h.builds.Load(); n != 2 {
			t.Errorf("%d builds after one more read, though an incomplete view is not stored", n)
		}
	})
}

func TestProcessesShareOneBuild(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		one, h1 := v.process(t, duringBuild)
		other, h2 := v.process(t, never)
		here := v.start(t.Context(), one, 25)
		<-h1.held
		elsewhere := v.start(t.Context(), other, 25)
		h2.misses(t, 25)
		close(h1.release)
		equals(t, here, v.want)
		equals(t, elsewhere, v.want)
		if n := h1.builds.Load() + h2.builds.Load(); n != 1 {
			t.Errorf("two processes built the view %d times", n)
		}
	})
}

func TestStalledBuildBlocksOtherProcessesForItsLeaseOnly(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		one, h1 := v.process(t, duringBuild)
		other, h2 := v.process(t, never)
		here := v.start(t.Context(), one, 1)
		<-h1.held
		elsewhere := v.start(t.Context(), other, 1)
		h2.misses(t, 1)
		lease := strings.Replace(h1.view, ":d:", ":l:", 1)
		if ok, err := v.rdb.PExpire(t.Context(), lease, time.Millisecond).Result(); err != nil || !ok {
			t.Fatalf("no lease: %v", err)
		}
		equals(t, elsewhere, v.want)
		close(h1.release)
		equals(t, here, v.want)
		if one, other := h1.builds.Load(), h2.builds.Load(); one != 1 || other != 1 {
			t.Errorf("the stalled process built the view %d times, the other one %d times", one, other)
		}
	})
}

func TestReadsOutliveACanceledBuild(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		s, h := v.process(t, duringBuild)
		ctx, cancel := context.WithCancel(t.Context())
		canceled := v.start(ctx, s, 1)
		<-h.held
		others := v.start(t.Context(), s, 10)
		h.misses(t, 1+10)
		cancel()
		if r := received(t, canceled); !errors.Is(r.err, context.Canceled) {
			t.Errorf("the canceled read returns %+v", r)
		}
		equals(t, others, v.want)
	})
}

// A change during a build keeps the view from being stored. Reads that began before it may return
// what they found; reads that begin after it return the change.
func TestReadsOfARacedBuildReturn(t *testing.T) {
	t.Parallel()
	onEachView(t, func(t *testing.T, v *lostView) {
		s, h := v.process(t, duringBuild)
		before := v.start(t.Context(), s, 10)
		<-h.held
		h.misses(t, 10)
		v.see(t, monday, v.monday[1:2]...) // one visit of three: doubted until the same answer comes again
		v.see(t, monday, v.monday[1:2]...)
		after := v.start(t.Context(), s, 10)
		h.misses(t, 10+10)
		close(h.release)
		for range 10 {
			if r := received(t, before); r.err != nil || r.fresh.Hit {
				t.Errorf("a read from before the change returns %+v", r)
			}
		}
		for range 10 {
			if r := received(t, after); r.err != nil || r.rows >= v.want.rows {
				t.Errorf("a read from after the change returns %+v", r)
			}
		}
		if n := h.builds.Load(); n != 1 {
			t.Errorf("%d builds read the visit that is gone", n)
		}
	})
}

// ErrCold is not a failure of a build, so the next read need not wait.
func TestColdViewIsNotAFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.see(t, monday, visit(0))
	day := b.store.scope(clinic, "7").day(monday)
	const firstOfBuild = 2 // after the read of view and day, and the grant
	b.rdb.AddHook(&between{n: firstOfBuild, do: func() { b.lose(t, day) }})
	if _, err := b.store.Board(t.Context(), clinic, "7", monday); !errors.Is(err, ErrCold) {
		t.Fatalf("a board whose day is lost during the build: %v", err)
	}
	b.see(t, monday, visit(0))
	if r := b.board(t, monday); len(r.Board.Rows) != 1 {
		t.Errorf("%d rows after the day is known again", len(r.Board.Rows))
	}
}
