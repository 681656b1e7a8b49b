package cache

import (
	"slices"
	"testing"
	"time"
)

func TestRecentlyReadReturnsMarks(t *testing.T) {
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
				t.Errorf("key %d: recently read %v", i, yes)
			}
		}
		if ttl := b.rdb.PTTL(t.Context(), keys[1].redisKey("w")).Val(); ttl <= 0 || ttl > time.Minute {
			t.Errorf("the mark is kept for %v", ttl)
		}
		if e, err := b.Peek(t.Context(), keys[1]); err != nil || e.State != Miss {
			t.Errorf("a mark made an entry: %v, %v", e.State, err)
		}
		if got, err := b.RecentlyRead(t.Context(), nil); err != nil || len(got) != 0 {
			t.Errorf("without keys: %d results, %v", len(got), err)
		}
	})
}

func TestReadMarkErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		if b.Cache.MarkRead(t.Context(), b.key(1), 0) == nil {
			t.Error("no error for a mark without a duration")
		}
		if b.Cache.MarkRead(t.Context(), Key{}, time.Minute) == nil {
			t.Error("MarkRead: no error for a key without a tenant")
		}
		if _, err := b.RecentlyRead(t.Context(), []Key{b.key(1), {}}); err == nil {
			t.Error("RecentlyRead: no error for a key without a tenant")
		}
		if err := b.rdb.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RecentlyRead(t.Context(), []Key{b.key(1)}); err == nil {
			t.Error("no error without Redis")
		}
	})
}
