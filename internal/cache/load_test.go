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
		if e.Stamp != g.Stamp || e.Cost < 0 || len(e.Tags) != 1 {
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

// fillHook runs a function before each fill.
type fillHook struct{ before func() }

func (h fillHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h fillHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h fillHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if a := cmd.Args(); len(a) > 1 && a[0] == "evalsha" && a[1] == fillScript.Hash() {
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
		b.rdb.AddHook(fillHook{func() {
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

func TestManyKeysManyCallers(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	var loads atomic.Int64
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			k := b.key(n % 20)
			e, err := b.Load(t.Context(), k, func(context.Context, Grant) (Value, error) {
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
