package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestAChangeRestsOnWhatItWasConcludedFrom(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		begin := func() Grant {
			t.Helper()
			g, err := b.Begin(t.Context(), b.id)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		conclude := func(loaded Grant, unmoved map[Tag]uint64) (Grant, error) {
			c := change(Tag{9})
			c.BasedOn, c.Preconditions = loaded, unmoved
			c.LastSeen = []LastSeenUpdate{{Name: "one", Expect: b.lastSeen("one"), Next: []byte(time.Now().String())}}
			return b.Invalidate(t.Context(), b.id, c)
		}
		refused := func(why string, loaded Grant, unmoved map[Tag]uint64) {
			t.Helper()
			before := b.dump()
			if _, err := conclude(loaded, unmoved); !errors.Is(err, ErrConflict) {
				t.Errorf("%s: %v, want ErrConflict", why, err)
			}
			if d := cmp.Diff(before, b.dump()); d != "" {
				t.Errorf("%s: a conflict changed something: %s", why, d)
			}
		}
		accepted := func(why string, loaded Grant, unmoved map[Tag]uint64) Grant {
			t.Helper()
			g, err := conclude(loaded, unmoved)
			if err != nil {
				t.Errorf("%s: %v", why, err)
			}
			return g
		}

		loaded := begin()
		b.bump(Tag{1})
		rests := map[Tag]uint64{{1}: loaded.Stamp}
		refused("a tag has moved", loaded, rests)
		refused("one of several has moved", loaded, map[Tag]uint64{{1}: loaded.Stamp, {2}: loaded.Stamp, {3}: loaded.Stamp})
		accepted("a tag that it does not rest on has moved", loaded, map[Tag]uint64{{2}: loaded.Stamp})
		accepted("no condition", Grant{}, rests)

		again := begin()
		own := accepted("asked again", again, map[Tag]uint64{{1}: again.Stamp, {9}: again.Stamp})
		refused("its own change is not excepted", again, map[Tag]uint64{{9}: again.Stamp})
		accepted("its own change is excepted", again, map[Tag]uint64{{9}: own.Stamp})

		old := begin()
		old.Stamp -= uint64((maxFillAge + time.Second).Microseconds())
		refused("too old", old, nil)

		before := begin()
		b.runID.Store("run-2")
		refused("another server answers", before, nil)
		begin()
		refused("another epoch", before, nil)
		fresh := begin()
		accepted("of this epoch", fresh, nil)
		b.rdb.Del(t.Context(), metaKey(b.id))
		refused("the timeline is lost", fresh, nil)
	})
}

func (b *fixture) lastSeen(name string) []byte {
	b.t.Helper()
	got, err := b.LastSeen(b.t.Context(), b.id, name)
	if err != nil {
		b.t.Fatal(err)
	}
	return got[0]
}

func TestAChangeRestsOnSoManyTags(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	loaded, err := b.Begin(t.Context(), b.id)
	if err != nil {
		t.Fatal(err)
	}
	c := change(Tag{9})
	c.BasedOn, c.Preconditions = loaded, make(map[Tag]uint64)
	for i := range MaxPreconditions {
		c.Preconditions[Tag{1, byte(i >> 8), byte(i)}] = loaded.Stamp
	}
	if _, err := b.Invalidate(t.Context(), b.id, c); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	c.Preconditions[Tag{2}] = loaded.Stamp
	if _, ok := errors.AsType[*LimitError](func() error { _, err := b.Invalidate(t.Context(), b.id, c); return err }()); !ok {
		t.Error("beyond the limit: no LimitError")
	}
}
