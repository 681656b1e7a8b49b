package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestLoadIsSharedWithinAndBetweenProcesses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		other := b.secondProcess(b.rdb)
		first := start(t.Context(), b.Cache, k, s)
		g := b.entered(s)
		var rest []<-chan loadResult
		for range 5 {
			rest = append(rest, start(t.Context(), b.Cache, k, s), start(t.Context(), other, k, s))
		}
		b.waiting(s, 9)
		s.send("v1")
		e := b.got(first, Fresh, "v1")
		if e.Stamp != g.Stamp || e.Age <= 0 || len(e.Tags) != 1 {
			t.Errorf("%+v for grant %+v", e, g)
		}
		for _, ch := range rest {
			if again := b.got(ch, Fresh, "v1"); again.ContentHash != e.ContentHash || again.Stamp != e.Stamp {
				t.Errorf("a different entry: %+v", again)
			}
		}
		b.got(start(t.Context(), other, k, s), Fresh, "v1")
		b.noMoreLoads(s)
	})
}

func TestWaitersOfARacedLoadLoadAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		b.bump(Tag{1})
		late := start(t.Context(), b.Cache, k, s)
		b.waiting(s, 1)
		s.send("old")
		b.got(first, Fresh, "old") // at least as new as its own call
		b.entered(s)
		s.send("new")
		b.got(late, Fresh, "new")
		b.noMoreLoads(s)
		b.want(k, Fresh, "new")
	})
}

// scriptHook runs a function before each call of one script.
type scriptHook struct {
	script *redis.Script
	before func()
}

func (h scriptHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h scriptHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h scriptHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a := cmd.Args(); len(a) > 1 && a[0] == "evalsha" && a[1] == h.script.Hash() {
			h.before()
		}
		return next(ctx, cmd)
	}
}

func TestNoCallerJoinsALoadDuringItsFill(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		var seen atomic.Int64
		b.rdb.AddHook(scriptHook{fillScript, func() {
			b.calls.mu.Lock()
			defer b.calls.mu.Unlock()
			seen.Store(int64(1 + len(b.calls.m)))
		}})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		s.send("v1")
		b.got(first, Fresh, "v1")
		if seen.Load() != 1 {
			t.Errorf("open calls during the fill: %d", seen.Load()-1)
		}
	})
}

// startTogether starts a load, n callers that join it before its grant is drawn, and one that joins
// it later.
func (b *fixture) startTogether(k Key, s *source, n int) []<-chan loadResult {
	b.t.Helper()
	reading, proceed := make(chan struct{}, 16), make(chan struct{})
	rdb := redis.NewClient(b.rdb.Options())
	b.t.Cleanup(func() { _ = rdb.Close() })
	rdb.AddHook(scriptHook{readScript, func() {
		reading <- struct{}{}
		<-proceed
	}})
	c := b.secondProcess(rdb)
	all := []<-chan loadResult{start(b.t.Context(), c, k, s)}
	within(b.t, reading, "a request for a grant")
	for range n {
		all = append(all, start(b.t.Context(), c, k, s))
	}
	b.waiting(s, n)
	close(proceed)
	b.entered(s)
	late := start(b.t.Context(), c, k, s)
	b.waiting(s, 1)
	return append(all, late)
}

func TestEarlierCallersShareARacedLoad(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		b.bump(Tag{1}) // the tenant has an epoch
		all := b.startTogether(k, s, 5)
		b.bump(Tag{1})
		s.results <- loadResult{Entry: Entry{Value: []byte("old"), Result: "result"}}
		for _, ch := range all[:6] {
			if e := b.got(ch, Fresh, "old"); e.Result != "result" { // at least as new as their calls
				t.Errorf("the load's result is %v", e.Result)
			}
		}
		b.entered(s)
		s.send("new")
		b.got(all[6], Fresh, "new")
		b.noMoreLoads(s)
	})
}

func TestEarlierCallersShareAnUnstoredResult(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		b.bump(Tag{1}) // the tenant has an epoch
		all := b.startTogether(k, s, 5)
		s.results <- loadResult{Entry: Entry{Result: "partial"}}
		for _, ch := range all[:6] {
			if r := b.result(ch); r.err != nil || r.Result != "partial" || r.present {
				t.Errorf("Load = %+v, %v", r.Entry, r.err)
			}
		}
		b.entered(s) // at once: an unstored result is no failure
		b.want(k, Miss, "")
		s.send("v1")
		b.got(all[6], Fresh, "v1")
		b.noMoreLoads(s)
	})
}

func TestLaterCallersShareAStoredEntryAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		b.bump(Tag{1})
		all := b.startTogether(k, s, 1)
		s.results <- loadResult{Entry: Entry{Value: []byte("v1"), Result: "result"}}
		for i, want := range []any{"result", "result", nil} {
			if e := b.got(all[i], Fresh, "v1"); e.Result != want {
				t.Errorf("caller %d has the result %v, want %v", i, e.Result, want)
			}
		}
		b.noMoreLoads(s)
	})
}

func TestStalledLoadBlocksOthersForItsLeaseOnly(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, stalled, s := b.key(1), newSource(Tag{1}), newSource(Tag{1})
		k.Class = &Class{Name: "short", Hard: time.Hour, Lease: 100 * time.Millisecond}
		first := start(t.Context(), b.Cache, k, stalled)
		b.entered(stalled)
		for range 4 {
			s.send("v2") // on a slow machine the second load may outlive its lease too
		}
		b.got(start(t.Context(), b.Cache, k, s), Fresh, "v2") // before another process stores it
		b.got(start(t.Context(), b.secondProcess(b.rdb), k, s), Fresh, "v2")
		stalled.send("v1")
		b.got(first, Fresh, "v1")
		b.want(k, Fresh, "v2")
	})
}

func TestLoadReplacesAnEntryThatItsCallerRejects(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		s.accept = func(e Entry) bool { return string(e.Value) != "v1" }
		b.store(k, value("v1", Tag{1}))
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		elsewhere := start(t.Context(), b.secondProcess(b.rdb), k, s)
		s.send("v2")
		b.got(first, Fresh, "v2")
		b.got(elsewhere, Fresh, "v2")
		b.noMoreLoads(s)
	})
}

func TestLoadOfASoftEntryDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		k.Class = &Class{Name: "soft", Soft: time.Microsecond, Hard: time.Hour}
		b.store(k, value("v1", Tag{1}))
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		b.got(start(t.Context(), b.Cache, k, s), Soft, "v1")
		b.got(start(t.Context(), b.secondProcess(b.rdb), k, s), Soft, "v1")
		s.send("v2")
		b.got(first, Fresh, "v2")
	})
}

// A caller passes on what its peek found. Load peeks itself if that was another key's entry, or
// when it tries a second time.
func TestLoadAfterAPeek(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		c, trips := b.countedProcess()
		load := func(k Key, found Entry, want string, peeks int64) {
			t.Helper()
			before := trips.n.Load()
			e, err := c.Load(t.Context(), k, found, nil, func(context.Context, Grant) (Value, error) { return value("loaded"), nil })
			if err != nil || string(e.Value) != want {
				t.Errorf("%q, %v, want %q", e.Value, err, want)
			}
			if n := trips.n.Load() - before; n != peeks {
				t.Errorf("%d peeks, want %d", n, peeks)
			}
		}
		peek := func(k Key) Entry {
			t.Helper()
			e, err := c.Peek(t.Context(), k)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		b.store(b.key(1), value("stored"))
		load(b.key(1), peek(b.key(1)), "stored", 0)
		load(b.key(2), peek(b.key(2)), "loaded", 0)
		load(b.key(3), peek(b.key(1)), "loaded", 1)
		load(b.key(4), Entry{}, "loaded", 1)

		s := newSource()
		first := start(t.Context(), c, b.key(5), s)
		b.entered(s)
		late := newSource()
		late.found = peek(b.key(5))
		b.rdb.Del(t.Context(), metaKey(b.id)) // the fill is refused, so the second caller tries again
		second := start(t.Context(), c, b.key(5), late)
		<-late.waits
		before := trips.n.Load()
		s.send("refused")
		b.got(first, Fresh, "refused")
		b.entered(late)
		late.send("again")
		b.got(second, Fresh, "again")
		if n := trips.n.Load() - before; n != 1 {
			t.Errorf("%d peeks for the second attempt, want 1", n)
		}
	})
}

// A caller that has peeked in an earlier epoch does not share what was loaded in the next one and
// not stored: the stamps of two epochs cannot be compared.
func TestLoadsOfTwoEpochsAreNotShared(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s, late := b.key(1), newSource(), newSource()
		b.store(b.key(2), value("an entry begins the epoch"))
		var err error
		if late.found, err = b.Peek(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		b.rdb.Del(t.Context(), metaKey(b.id))
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, late)
		b.waiting(late, 1)
		s.results <- loadResult{Entry: Entry{Result: "of the next epoch"}}
		if r := b.result(first); r.Result != "of the next epoch" {
			t.Errorf("%+v", r)
		}
		b.entered(late)
		late.send("v1")
		b.got(second, Fresh, "v1")
	})
}

func TestManyKeysManyCallers(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	var loads atomic.Int64
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			k := b.key(n % 20)
			e, err := b.Load(t.Context(), k, Entry{}, nil, func(context.Context, Grant) (Value, error) {
				loads.Add(1)
				return value(string(k.ID), TagOf(k.ID)), nil
			})
			if err != nil || string(e.Value) != string(k.ID) {
				t.Errorf("Load = %q, %v", e.Value, err)
			}
		})
	}
	wg.Wait()
	if loads.Load() != 20 {
		t.Errorf("%d loads for 20 keys", loads.Load())
	}
	if len(b.calls.m) != 0 {
		t.Errorf("%d calls never finished", len(b.calls.m))
	}
}
