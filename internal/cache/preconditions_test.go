package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestInvalidateChecksPreconditions(t *testing.T) {
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
		apply := func(basedOn Grant, preconditions map[Tag]uint64) (Grant, error) {
			c := change(Tag{9})
			c.BasedOn, c.Preconditions = basedOn, preconditions
			c.LastSeen = []LastSeenUpdate{{Name: "one", Expect: b.lastSeen("one"), Next: []byte(time.Now().String())}}
			return b.Invalidate(t.Context(), b.id, c)
		}
		refused := func(why string, basedOn Grant, preconditions map[Tag]uint64) {
			t.Helper()
			before := b.dump()
			if _, err := apply(basedOn, preconditions); !errors.Is(err, ErrConflict) {
				t.Errorf("%s: %v, want ErrConflict", why, err)
			}
			if d := cmp.Diff(before, b.dump()); d != "" {
				t.Errorf("%s: data changed despite the conflict: %s", why, d)
			}
		}
		accepted := func(why string, basedOn Grant, preconditions map[Tag]uint64) Grant {
			t.Helper()
			g, err := apply(basedOn, preconditions)
			if err != nil {
				t.Errorf("%s: %v", why, err)
			}
			return g
		}

		grant := begin()
		b.bump(Tag{1})
		conditions := map[Tag]uint64{{1}: grant.Stamp}
		refused("a tag has a newer version", grant, conditions)
		refused("one of several tags has a newer version", grant, map[Tag]uint64{{1}: grant.Stamp, {2}: grant.Stamp, {3}: grant.Stamp})
		accepted("a tag outside the preconditions has a newer version", grant, map[Tag]uint64{{2}: grant.Stamp})
		accepted("not based on a load", Grant{}, conditions)

		again := begin()
		own := accepted("loaded again later", again, map[Tag]uint64{{1}: again.Stamp, {9}: again.Stamp})
		refused("precondition from before its own change", again, map[Tag]uint64{{9}: again.Stamp})
		accepted("precondition that includes its own change", again, map[Tag]uint64{{9}: own.Stamp})

		old := begin()
		old.Stamp -= uint64((maxFillAge + time.Second).Microseconds())
		refused("load too old", old, nil)

		before := begin()
		b.anotherPrimary()
		refused("another server answers", before, nil)
		begin()
		refused("another epoch", before, nil)
		fresh := begin()
		accepted("of this epoch", fresh, nil)
		b.rdb.Del(t.Context(), metaKey(b.id))
		refused("the meta hash is lost", fresh, nil)
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

func TestPreconditionsAreLimited(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	grant, err := b.Begin(t.Context(), b.id)
	if err != nil {
		t.Fatal(err)
	}
	c := change(Tag{9})
	c.BasedOn, c.Preconditions = grant, make(map[Tag]uint64)
	for i := range MaxPreconditions {
		c.Preconditions[Tag{1, byte(i >> 8), byte(i)}] = grant.Stamp
	}
	if _, err := b.Invalidate(t.Context(), b.id, c); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	c.Preconditions[Tag{2}] = grant.Stamp
	if _, ok := errors.AsType[*LimitError](func() error { _, err := b.Invalidate(t.Context(), b.id, c); return err }()); !ok {
		t.Error("beyond the limit: no LimitError")
	}
}
