package cache

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

type loadResult struct {
	Entry
	err error
}

// source is a load whose course the test directs: it says when it was entered and brings what it is sent.
type source struct {
	entered chan Grant
	bring   chan loadResult
	tags    []Tag
}

func newSource(tags ...Tag) *source {
	return &source{entered: make(chan Grant, 16), bring: make(chan loadResult, 16), tags: tags}
}

func (s *source) load(ctx context.Context, g Grant) (Value, error) {
	s.entered <- g
	select {
	case a := <-s.bring:
		return Value{Bytes: a.Value, Tags: s.tags}, a.err
	case <-ctx.Done():
		return Value{}, ctx.Err()
	}
}

func (s *source) send(val string) { s.bring <- loadResult{Entry: Entry{Value: []byte(val)}} }

func (s *source) fail(err error) { s.bring <- loadResult{err: err} }

// start calls Load beside the test.
func start(ctx context.Context, c *Cache, k Key, s *source) <-chan loadResult {
	out := make(chan loadResult, 1)
	go func() {
		e, err := c.Load(ctx, k, s.load)
		out <- loadResult{e, err}
	}()
	return out
}

func (b *fixture) got(ch <-chan loadResult, state State, val string) Entry {
	b.t.Helper()
	a := b.loadResult(ch)
	if a.err != nil || a.State != state || string(a.Value) != val {
		b.t.Fatalf("Load = %v %q, %v, want %v %q", a.State, a.Value, a.err, state, val)
	}
	return a.Entry
}

func (b *fixture) loadResult(ch <-chan loadResult) loadResult {
	b.t.Helper()
	return within(b.t, ch, "an answer")
}

func (b *fixture) entered(s *source) Grant {
	b.t.Helper()
	return within(b.t, s.entered, "a load")
}

// within receives, or fails the test after a time that no healthy run comes near.
func within[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited 10 s for %s", what)
		panic("unreachable")
	}
}

// joined waits until so many callers have been counted, which Load does once they have joined a flight.
func (b *fixture) waitForCallers(misses uint64) {
	b.t.Helper()
	for b.Stats()["patient"].Misses+b.Stats()["patient"].Stale < misses {
		if b.t.Context().Err() != nil {
			b.t.Fatal("nobody came")
		}
		runtime.Gosched()
	}
}

func TestLoadIsSharedInAProcessAndBetweenProcesses(t *testing.T) {
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
		b.waitForCallers(6)
		s.send("v1")
		e := b.got(first, Fresh, "v1")
		if e.Stamp != g.Stamp || e.Cost < 0 || len(e.Tags) != 1 {
			t.Errorf("%+v for grant %+v", e, g)
		}
		for _, ch := range rest {
			if again := b.got(ch, Fresh, "v1"); again.ContentHash != e.ContentHash || again.Stamp != e.Stamp {
				t.Errorf("another entry: %+v", again)
			}
		}
		b.got(start(t.Context(), other, k, s), Fresh, "v1")
		if st := b.Stats()["patient"]; st.Loads != 1 || st.Filled != 1 || other.Stats()["patient"].Loads != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestWaitersOfARacedLoadLoadAnew(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		b.bump(Tag{1})
		late := start(t.Context(), b.Cache, k, s)
		b.waitForCallers(2)
		s.send("old")
		b.got(first, Fresh, "old") // as new as its own call
		b.entered(s)
		s.send("new")
		b.got(late, Fresh, "new")
		if st := b.Stats()["patient"]; st.Raced != 1 || st.Filled != 1 || st.Shared != 0 {
			t.Errorf("%+v", st)
		}
		b.want(k, Fresh, "new")
	})
}

// fillHook runs a function before each fill is sent.
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

func TestNobodyJoinsALoadWhoseFillIsOnItsWay(t *testing.T) {
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
			t.Errorf("flights while filling: %d", seen.Load()-1)
		}
	})
}

func TestLoadFailureIsSharedThenPaused(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		down := errors.New("down")
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, s)
		b.waitForCallers(2)
		s.fail(down)
		for _, ch := range []<-chan loadResult{first, second} {
			if a := b.loadResult(ch); a.err != down { //nolint:errorlint // unchanged is the promise
				t.Errorf("Load = %v, %v", a.State, a.err)
			}
		}
		_, err := b.secondProcess(b.rdb).Load(t.Context(), k, s.load)
		var later interface{ NotBefore() (time.Time, string) }
		if !errors.Is(err, ErrSourceFailed) || !errors.As(err, &later) {
			t.Fatalf("just after a failure: %v", err)
		}
		if at, reason := later.NotBefore(); time.Until(at) > pauseAfterFailure || reason == "" {
			t.Errorf("not before %v, %q", at, reason)
		}
		b.bump(Tag{1}) // nobody knows yet that the key depends on this
		b.rdb.Del(t.Context(), k.lease())
		third := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		s.send("v1")
		b.got(third, Fresh, "v1")
		if st := b.Stats()["patient"]; st.Loads != 2 || st.Failures != 1 || st.Shared != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestLoadServesWhatTheClassAllowsWhenTheSourceFails(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		down := errors.New("down")
		b.store(k, value("v1", Tag{1}))
		b.bump(Tag{1})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, s)
		b.waitForCallers(3)
		s.fail(down)
		b.got(second, Stale, "v1")
		if e := b.got(first, Stale, "v1"); e.Age <= 0 {
			t.Errorf("age %v", e.Age)
		}
		b.got(start(t.Context(), b.secondProcess(b.rdb), k, s), Stale, "v1") // in the pause, nobody asks the source
		if st := b.Stats()["patient"]; st.Served != 2 || st.Failures != 1 {
			t.Errorf("%+v", st)
		}

		strict := b.key(2)
		strict.Class = &Class{Name: "strict", Hard: time.Hour}
		b.store(strict, value("v1", Tag{1}))
		b.bump(Tag{1})
		third := start(t.Context(), b.Cache, strict, s)
		b.entered(s)
		s.fail(down)
		if a := b.loadResult(third); !errors.Is(a.err, down) {
			t.Errorf("Load = %v, %v", a.State, a.err)
		}
	})
}

func TestLoadOfASoftEntryKeepsNobodyWaiting(t *testing.T) {
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

func TestWaitersOutliveTheirLeader(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		ctx, leave := context.WithCancel(t.Context())
		first := start(ctx, b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, s)
		b.waitForCallers(2)
		leave()
		if a := b.loadResult(first); !errors.Is(a.err, context.Canceled) {
			t.Errorf("leader: %v", a.err)
		}
		b.entered(s) // at once: the lease was given back without a pause
		third := start(ctx, b.Cache, b.key(1), s)
		if a := b.loadResult(third); !errors.Is(a.err, context.Canceled) {
			t.Errorf("a waiter whose context has ended: %v", a.err)
		}
		s.send("v1")
		b.got(second, Fresh, "v1")
		if st := b.Stats()["patient"]; st.Failures != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAWaiterMayLeave(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		ctx, leave := context.WithCancel(t.Context())
		here, elsewhere := start(ctx, b.Cache, k, s), start(ctx, b.secondProcess(b.rdb), k, s)
		b.waitForCallers(2)
		leave()
		for _, ch := range []<-chan loadResult{here, elsewhere} {
			if a := b.loadResult(ch); !errors.Is(a.err, context.Canceled) {
				t.Errorf("Load = %v", a.err)
			}
		}
		s.send("v1")
		b.got(first, Fresh, "v1")
	})
}

func TestAPanickingLoadLeavesNobodyBehind(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		var second <-chan loadResult
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_, _ = b.Load(t.Context(), k, func(context.Context, Grant) (Value, error) {
				second = start(t.Context(), b.Cache, k, s)
				b.waitForCallers(2)
				panic("boom")
			})
		}()
		b.entered(s)
		s.send("v1")
		b.got(second, Fresh, "v1")
	})
}

func TestLoadOfWhatCannotBeStored(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		_, err := b.Load(t.Context(), k, func(context.Context, Grant) (Value, error) {
			return Value{Bytes: make([]byte, MaxValue+1)}, nil
		})
		if _, ok := errors.AsType[*LimitError](err); !ok {
			t.Errorf("Load = %v", err)
		}
		if _, g, err := b.Read(t.Context(), k, true); err != nil || !g.Failed {
			t.Errorf("afterwards: %+v, %v", g, err)
		}
	})
}

func TestLoadReturnsItsValueWhenItCannotBeStored(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	k, s := b.key(1), newSource(Tag{1})
	o := b.rdb.Options()
	rdb := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB, MaxRetries: -1})
	first := start(t.Context(), b.secondProcess(rdb), k, s)
	b.entered(s)
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	s.send("v1")
	b.got(first, Fresh, "v1")
	b.want(k, Miss, "")
	if _, err := b.secondProcess(rdb).Load(t.Context(), k, s.load); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("without Redis: %v", err)
	}
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
		t.Errorf("%d flights never landed", len(b.calls.m))
	}
}
