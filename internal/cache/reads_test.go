package cache

import (
	"slices"
	"testing"
	"time"
)

func TestWanted(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		keys := make([]Key, MaxPeek+2)
		for i := range keys {
			keys[i] = b.key(i)
		}
		for _, i := range []int{1, MaxPeek} {
			if err := b.Cache.MarkRead(t.Context(), keys[i], time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.RecentlyRead(t.Context(), keys)
		if err != nil || len(got) != len(keys) {
			t.Fatalf("%d answers, %v", len(got), err)
		}
		for i, yes := range got {
			if yes != slices.Contains([]int{1, MaxPeek}, i) {
				t.Errorf("key %d is wanted: %v", i, yes)
			}
		}
		if ttl := b.rdb.PTTL(t.Context(), keys[1].redisKey("w")).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("it is remembered for %v", ttl)
		}
		if e, err := b.Peek(t.Context(), keys[1]); err != nil || e.State != Miss {
			t.Errorf("what is wanted is there: %v, %v", e.State, err)
		}
		if got, err := b.RecentlyRead(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("of none %d are wanted, %v", len(got), err)
		}
	})
}

func TestWantRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		if b.Cache.MarkRead(t.Context(), b.key(1), 0) == nil {
			t.Error("wanted for no time")
		}
		if b.Cache.MarkRead(t.Context(), Key{}, time.Minute) == nil {
			t.Error("a key without a tenant is wanted")
		}
		if _, err := b.RecentlyRead(t.Context(), []Key{b.key(1), {}}); err == nil {
			t.Error("a key without a tenant is asked for")
		}
		if err := b.rdb.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RecentlyRead(t.Context(), []Key{b.key(1)}); err == nil {
			t.Error("Redis is away, and nobody wants anything")
		}
	})
}
