package cache

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBeginGrantsOneLoadOfManyEntries(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		g, err := b.Begin(t.Context(), b.id)
		if err != nil {
			t.Fatal(err)
		}
		b.reads(b.key(1), Miss, "", false) // Begin holds no lease
		changed := b.bump(TagOf(ref(2)))
		b.fill(b.key(3), changed, value("later", TagOf(ref(3))), OK)
		var items []Item
		for n := range 4 {
			items = append(items, Item{Key: b.key(n), Value: value("v", TagOf(ref(n)))})
		}
		got, err := b.FillMany(t.Context(), g, items)
		if d := cmp.Diff([]Result{OK, OK, Raced, Older}, got); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
		b.anotherPrimary()
		next, err := b.Begin(t.Context(), b.id)
		if err != nil || next.Epoch == g.Epoch || next.Stamp <= changed.Stamp {
			t.Errorf("after a change of servers: %+v, %v", next, err)
		}
		b.fill(b.key(1), g, value("v"), Epoch)
		b.want(b.key(0), Suspect, "v")
		b.fill(b.key(1), next, value("new"), OK)
	})
}

func TestBeginErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		if _, err := b.Begin(t.Context(), ""); err == nil {
			t.Error("no error without a tenant")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Begin(ctx, b.id); err == nil {
			t.Error("no error without Redis")
		}
	})
}

func TestEveryGrantAdvancesTheClock(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		// A clock ahead of the server's time advances by one per grant, which makes each step
		// visible.
		ahead := b.bump().Stamp + 3600_000_000
		b.rdb.HSet(t.Context(), metaKey(b.id), "c", ahead)
		for i := range uint64(3) {
			began, err := b.Begin(t.Context(), b.id)
			if err != nil {
				t.Fatal(err)
			}
			read := b.grant(b.key(int(i)))
			bumped := b.bump()
			want := []uint64{ahead + 3*i + 1, ahead + 3*i + 2, ahead + 3*i + 3}
			if d := cmp.Diff(want, []uint64{began.Stamp, read.Stamp, bumped.Stamp}); d != "" {
				t.Error(d)
			}
		}
	})
}
