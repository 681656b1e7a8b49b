package cache

import (
	"context"
	"strconv"
	"testing"
)

func TestSweepRemovesOnlyOldVersions(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", Tag{1}))
		b.bump(Tag{1})
		now := b.bump(Tag{2}).Stamp
		horizon := uint64((MaxHard + maxFillAge).Microseconds())
		old := make(map[string]any)
		for i := range 3 * sweepStep {
			old["old-"+strconv.Itoa(1000+i)] = now - horizon - 1
		}
		old["edge----"] = now - horizon + 60_000_000
		b.rdb.HSet(t.Context(), metaKey(b.id), old)
		removed, err := b.Sweep(t.Context(), b.id)
		if err != nil || removed != 3*sweepStep {
			t.Errorf("Sweep = %d, %v", removed, err)
		}
		left := b.rdb.HGetAll(t.Context(), metaKey(b.id)).Val()
		for _, f := range []string{"e", "c", "h", "f", "pe", "edge----", string(fieldOf(1)), string(fieldOf(2))} {
			if _, ok := left[f]; !ok {
				t.Errorf("field %q is gone", f)
			}
		}
		if len(left) != 8 {
			t.Errorf("%d fields left", len(left))
		}
		b.want(k, Stale, "v1")
		if again, err := b.Sweep(t.Context(), b.id); again != 0 || err != nil {
			t.Errorf("second Sweep = %d, %v", again, err)
		}
		if n, err := b.Sweep(t.Context(), b.id+"-x"); n != 0 || err != nil {
			t.Errorf("Sweep of an empty tenant = %d, %v", n, err)
		}
	})
}

// fieldOf returns the field of Tag{n}.
func fieldOf(n byte) []byte { tag := Tag{n}; return tag[:] }

func TestSweepErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		b.bump(Tag{1})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Sweep(ctx, b.id); err == nil {
			t.Error("no error with a canceled context")
		}
		if _, err := b.Sweep(t.Context(), ""); err == nil {
			t.Error("no error without a tenant")
		}
	})
}
