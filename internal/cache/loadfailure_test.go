package cache

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestLoadFailureIsShared(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		down := errors.New("down")
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, s)
		b.waiting(s, 1)
		s.fail(down)
		for _, ch := range []<-chan loadResult{first, second} {
			if a := b.result(ch); a.err != down { //nolint:errorlint // unchanged is the promise
				t.Errorf("Load = %v, %v", a.State, a.err)
			}
		}
		b.noMoreLoads(s)
	})
}

// After a failure the next caller, in this process or another, loads at once.
func TestLoadAfterAFailure(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, down := b.key(1), errors.New("down")
		k.Class = &Class{Name: "view", Hard: time.Hour}
		for _, c := range []*Cache{b.Cache, b.Cache, b.secondProcess(b.rdb)} {
			_, err := c.Load(t.Context(), k, Entry{}, nil, func(context.Context, Grant) (Value, error) { return Value{}, down })
			if !errors.Is(err, down) {
				t.Errorf("Load = %v, want its own failure", err)
			}
		}
	})
}

func TestWaitersContinueAfterTheLoadingCallerCancels(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		ctx, cancel := context.WithCancel(t.Context())
		first := start(ctx, b.Cache, k, s)
		b.entered(s)
		second := start(t.Context(), b.Cache, k, s)
		b.waiting(s, 1)
		cancel()
		if a := b.result(first); !errors.Is(a.err, context.Canceled) {
			t.Errorf("loading caller: %v", a.err)
		}
		b.entered(s) // at once: the lease was released
		third := start(ctx, b.Cache, b.key(1), s)
		if a := b.result(third); !errors.Is(a.err, context.Canceled) {
			t.Errorf("waiting caller with a canceled context: %v", a.err)
		}
		s.send("v1")
		b.got(second, Fresh, "v1")
		b.noMoreLoads(s)
	})
}

func TestWaitingCallerCanCancel(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		first := start(t.Context(), b.Cache, k, s)
		b.entered(s)
		ctx, cancel := context.WithCancel(t.Context())
		here, elsewhere := start(ctx, b.Cache, k, s), start(ctx, b.secondProcess(b.rdb), k, s)
		b.waiting(s, 1)
		cancel()
		for _, ch := range []<-chan loadResult{here, elsewhere} {
			if a := b.result(ch); !errors.Is(a.err, context.Canceled) {
				t.Errorf("Load = %v", a.err)
			}
		}
		s.send("v1")
		b.got(first, Fresh, "v1")
	})
}

func TestPanickingLoadReleasesWaiters(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k, s := b.key(1), newSource(Tag{1})
		var second <-chan loadResult
		func() {
			defer func() {
				if recover() == nil {
					t.Error("Load swallowed the panic")
				}
			}()
			_, _ = b.Load(t.Context(), k, Entry{}, nil, func(context.Context, Grant) (Value, error) {
				second = start(t.Context(), b.Cache, k, s)
				b.waiting(s, 1)
				panic("boom")
			})
		}()
		b.entered(s)
		s.send("v1")
		b.got(second, Fresh, "v1")
	})
}

func TestLoadOfATooLargeValueFails(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		_, err := b.Load(t.Context(), k, Entry{}, nil, func(context.Context, Grant) (Value, error) {
			return Value{Bytes: make([]byte, MaxValue+1)}, nil
		})
		if _, ok := errors.AsType[*LimitError](err); !ok {
			t.Errorf("Load = %v", err)
		}
		if _, g, err := b.read(t.Context(), k, acceptAll); err != nil || g.held {
			t.Errorf("the lease is still held: %+v, %v", g, err)
		}
	})
}

func TestLoadReturnsItsValueWhenTheFillFails(t *testing.T) {
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
	if _, err := b.secondProcess(rdb).Load(t.Context(), k, Entry{}, nil, s.load); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("without Redis: %v", err)
	}
}
