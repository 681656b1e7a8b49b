package cache

import (
	"testing"
	"time"
)

func TestAgesReadsHeadersOnly(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		b.store(b.key(1), value("one", TagOf(ref(1))))
		got, err := b.Ages(t.Context(), []Key{b.key(1), b.key(2)})
		if err != nil || len(got) != 2 || got[0] < 0 || got[0] > time.Minute || got[1] >= 0 {
			t.Fatalf("%v, %v", got, err)
		}
		// Neither an invalidation nor a damaged value changes the age of an entry.
		b.bump(TagOf(ref(1)))
		name := b.key(1).entry()
		raw := b.rdb.Get(t.Context(), name).Val()
		b.rdb.Set(t.Context(), name, raw[:len(raw)-1]+"x", time.Hour)
		again, err := b.Ages(t.Context(), []Key{b.key(1)})
		if err != nil || again[0] < got[0] {
			t.Errorf("%v, %v", again, err)
		}
		b.rdb.Set(t.Context(), name, "not an entry", time.Hour)
		if got, err := b.Ages(t.Context(), []Key{b.key(1)}); err != nil || got[0] >= 0 {
			t.Errorf("bytes that are not an entry: %v, %v", got, err)
		}
		if _, err := b.Ages(t.Context(), make([]Key, MaxPeek+1)); err == nil {
			t.Error("no error beyond MaxPeek")
		}
		_ = b.rdb.Close()
		if _, err := b.Ages(t.Context(), []Key{b.key(1)}); err == nil {
			t.Error("no error without Redis")
		}
	})
}
