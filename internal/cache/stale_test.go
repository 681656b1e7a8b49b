package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// scheme is one way to cache the value: how to read it, and how to invalidate it completely.
type scheme struct {
	read       func(ctx context.Context, load func() string) (value string, hit bool, err error)
	invalidate func(ctx context.Context) error
}

// tally counts what readers saw. A read is stale when its value is older than an invalidation that
// had completed before the read began.
type tally struct{ reads, hits, stale atomic.Int64 }

// race lets readers read one value, with loads of 1 to 3 ms, while one writer changes the source
// and invalidates. Four readers read as fast as they can; sixteen pause between reads, so that some
// arrive during a load that an invalidation has already overtaken. Readers are spread over the
// schemes, which stand for processes; the writer uses the first.
func race(t *testing.T, writes int, fault func(n int), schemes ...scheme) *tally {
	t.Helper()
	var source, completed atomic.Int64
	source.Store(1)
	load := func() string {
		v := source.Load()
		idle(t, time.Millisecond+time.Duration(rand.IntN(2000))*time.Microsecond)
		return strconv.FormatInt(v, 10)
	}
	var counts tally
	ctx, stop := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for i := range 20 {
		s := schemes[i%len(schemes)]
		readers.Go(func() {
			for ctx.Err() == nil {
				if i >= 4 {
					idle(t, time.Duration(rand.IntN(6000))*time.Microsecond)
				}
				floor := completed.Load()
				v, hit, err := s.read(ctx, load)
				if ctx.Err() != nil {
					return
				}
				if err != nil {
					t.Errorf("read: %v", err)
					return
				}
				counts.see(v, hit, floor)
			}
		})
	}
	for n := range writes {
		v := source.Add(1)
		if err := schemes[0].invalidate(ctx); err != nil {
			t.Errorf("invalidate: %v", err)
		}
		completed.Store(v)
		if fault != nil {
			fault(n)
		}
		idle(t, time.Duration(rand.IntN(8000))*time.Microsecond)
	}
	stop()
	readers.Wait()
	t.Logf("%d reads, %d hits, %d stale", counts.reads.Load(), counts.hits.Load(), counts.stale.Load())
	return &counts
}

func (c *tally) see(v string, hit bool, floor int64) {
	c.reads.Add(1)
	if hit {
		c.hits.Add(1)
	}
	if got, err := strconv.ParseInt(v, 10, 64); err != nil || got < floor {
		c.stale.Add(1)
	}
}

// idle lets time pass at the source or between writes; no test step waits for its effect.
func idle(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// throughLoad reads through Load, as callers of the package do.
func throughLoad(c *Cache, k Key) scheme {
	tag := TagOf(k.ID)
	return scheme{
		read: func(ctx context.Context, load func() string) (string, bool, error) {
			hit := true
			e, err := c.Load(ctx, k, Entry{}, nil, func(context.Context, Grant) (Value, error) {
				hit = false
				return value(load(), tag), nil
			})
			return string(e.Value), hit, err
		},
		invalidate: func(ctx context.Context) error {
			_, err := c.Invalidate(ctx, k.Tenant, change(tag))
			return err
		},
	}
}

// withoutLeases uses the scripts alone: every caller that misses loads, and fills if it has a
// grant.
func withoutLeases(c *Cache, k Key) scheme {
	s := throughLoad(c, k)
	tag := TagOf(k.ID)
	s.read = func(ctx context.Context, load func() string) (string, bool, error) {
		if e, err := c.Peek(ctx, k); err != nil || e.State == Fresh {
			return string(e.Value), true, err
		}
		e, g, err := c.read(ctx, k, acceptAll)
		if err != nil || e.State == Fresh {
			return string(e.Value), true, err
		}
		v := load()
		if g.usable() {
			_, err = c.fillOne(ctx, k, g, value(v, tag))
		}
		return v, false, err
	}
	return s
}

func TestNoStaleReadAfterACompletedInvalidation(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*Cache, Key) scheme{"load": throughLoad, "scripts": withoutLeases} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFixture(t, redistest.New)
			k := Key{Tenant: b.id, Class: &Class{Name: "hot", Hard: time.Minute, Lease: 20 * time.Millisecond}, ID: ref(1)}
			got := race(t, 250, nil, use(b.Cache, k), use(b.secondProcess(b.rdb), k))
			if got.stale.Load() != 0 {
				t.Errorf("%d stale reads", got.stale.Load())
			}
			if got.hits.Load() < 50 || got.reads.Load() < 300 {
				t.Errorf("only %d hits in %d reads: too few to prove anything", got.hits.Load(), got.reads.Load())
			}
		})
	}
}

func TestNoStaleReadThroughFaults(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	k := Key{Tenant: b.id, Class: &Class{Name: "hot", Hard: time.Minute, Lease: 20 * time.Millisecond}, ID: ref(1)}
	faults := []func(){
		func() { b.rdb.FlushDB(t.Context()) },
		func() { b.rdb.Del(t.Context(), metaKey(b.id)) },
		func() { b.rdb.Del(t.Context(), k.lease()) },
		b.anotherPrimary,
		func() { b.rdb.Del(t.Context(), k.entry()) },
	}
	got := race(t, 250, func(n int) {
		if n%5 == 0 {
			faults[n/5%len(faults)]()
		}
	}, throughLoad(b.Cache, k), withoutLeases(b.secondProcess(b.rdb), k))
	if got.stale.Load() != 0 {
		t.Errorf("%d stale reads", got.stale.Load())
	}
}

// TestRaceDetectsStaleReads runs the same race with plain cache-aside, which must produce stale
// reads; otherwise the race proves nothing.
func TestRaceDetectsStaleReads(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	got := race(t, 250, nil, scheme{
		read: func(ctx context.Context, load func() string) (string, bool, error) {
			v, err := rdb.Get(ctx, "hot").Result()
			if !errors.Is(err, redis.Nil) {
				return v, true, err
			}
			v = load()
			return v, false, rdb.Set(ctx, "hot", v, time.Minute).Err()
		},
		invalidate: func(ctx context.Context) error { return rdb.Del(ctx, "hot").Err() },
	})
	if got.stale.Load() == 0 {
		t.Error("no stale reads with plain cache-aside")
	}
}
