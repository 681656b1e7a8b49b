package cache

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// roundTrips counts the round trips of one client that read versions, and can run a function after
// each. Every trip of a Peek reads versions; those that set up a connection do not.
type roundTrips struct {
	n     atomic.Int64
	after func()
}

func (tr *roundTrips) made(cmds []redis.Cmder) {
	if !slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Name() == "hmget" }) {
		return
	}
	tr.n.Add(1)
	if tr.after != nil {
		tr.after()
	}
}

func (tr *roundTrips) DialHook(next redis.DialHook) redis.DialHook { return next }

func (tr *roundTrips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		tr.made([]redis.Cmder{cmd})
		return err
	}
}

func (tr *roundTrips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		tr.made(cmds)
		return err
	}
}

// countedProcess is a second process with its own client, whose round trips are counted.
func (b *fixture) countedProcess() (*Cache, *roundTrips) {
	b.t.Helper()
	o := b.rdb.Options()
	rdb := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB})
	b.t.Cleanup(func() { _ = rdb.Close() })
	tr := &roundTrips{}
	rdb.AddHook(tr)
	return b.secondProcess(rdb), tr
}

func TestPeekTakesOneRoundTripOnceTheTagsAreKnown(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		c, tr := b.countedProcess()
		peek := func(k Key, state State, cost int64) {
			t.Helper()
			before := tr.n.Load()
			e, err := c.Peek(t.Context(), k)
			if err != nil || e.State != state {
				t.Fatalf("Peek = %v, %v, want %v", e.State, err, state)
			}
			if n := tr.n.Load() - before; n != cost {
				t.Errorf("%d round trips, want %d", n, cost)
			}
		}
		k := b.key(1)
		peek(k, Miss, 1)
		b.store(k, value("v1", Tag{1}, Tag{2}))
		peek(k, Fresh, 2)
		peek(k, Fresh, 1)
		b.bump(Tag{2})
		peek(k, Stale, 1)
		b.store(k, value("v1", Tag{2}))
		peek(k, Fresh, 1) // fewer tags than remembered
		b.replace(k, value("v1", Tag{2}, Tag{3}))
		peek(k, Fresh, 2)
		b.bump(Tag{3})
		peek(k, Stale, 1)
		var many []Key
		for n := 10; n < 40; n++ {
			b.store(b.key(n), value("v", Tag{byte(n)}, Tag{4}))
			many = append(many, b.key(n))
		}
		for _, cost := range []int64{2, 1} {
			before := tr.n.Load()
			es, err := c.PeekMany(t.Context(), many)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range es {
				if e.State != Fresh || string(e.Value) != "v" {
					t.Errorf("%d: %v", i, e.State)
				}
			}
			if n := tr.n.Load() - before; n != cost {
				t.Errorf("%d round trips for 30 keys, want %d", n, cost)
			}
		}
	})
}

// replace fills an entry that may be fresh.
func (b *fixture) replace(k Key, v Value) {
	b.t.Helper()
	b.fill(k, b.bump(), v, OK)
}

func TestPeekReadsVersionsAfterTheEntry(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	k := b.key(1)
	b.store(k, value("v1", Tag{1}))
	c, tr := b.countedProcess()
	var once atomic.Bool
	tr.after = func() {
		if once.CompareAndSwap(false, true) { // after the first trip, which reads no versions of tags
			b.bump(Tag{1})
		}
	}
	e, err := c.Peek(t.Context(), k)
	if err != nil || e.State != Stale {
		t.Errorf("Peek = %v, %v, want stale", e.State, err)
	}
}

func TestPeekOfASoftEntry(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		k.Class = &Class{Name: "soft", Soft: time.Microsecond, Hard: time.Hour}
		b.store(k, value("v1", Tag{1}))
		b.want(k, Soft, "v1")
		b.bump(Tag{1})
		b.want(k, Stale, "v1")
	})
}

func TestPeekErrors(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	other := b.key(1)
	other.Tenant += "-x"
	twin := b.key(1)
	twin.Class = &Class{Name: patients.Name, Hard: time.Minute}
	b.want(b.key(1), Miss, "")
	for name, keys := range map[string][]Key{
		"two tenants":             {b.key(1), other},
		"too many":                make([]Key, MaxPeek+1),
		"zero key":                {{}},
		"two classes of one name": {twin},
	} {
		if _, err := b.PeekMany(t.Context(), keys); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if es, err := b.PeekMany(t.Context(), nil); es != nil || err != nil {
		t.Errorf("without keys: %v, %v", es, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Peek(ctx, b.key(1)); err == nil {
		t.Error("no error without Redis")
	}
	b.rdb.HSet(t.Context(), metaKey(b.id), "c", "many")
	if _, err := b.Peek(t.Context(), b.key(1)); err == nil {
		t.Error("no error with a malformed clock")
	}
}

func TestHintsAreBounded(t *testing.T) {
	t.Parallel()
	var h hints
	for i := range maxHints + 100 {
		h.learn(fmt.Sprint(i), nil, []Tag{{1}})
	}
	if len(h.m) != maxHints {
		t.Errorf("%d entries remembered, at most %d allowed", len(h.m), maxHints)
	}
	if got := h.of([]string{fmt.Sprint(maxHints + 99)}); len(got) != 1 {
		t.Errorf("the latest entry is not remembered: %v", got)
	}
}
