package cache

import (
	"testing"
	"time"
)

// reads calls read, checks its result and returns the grant.
func (b *fixture) reads(k Key, state State, val string, held bool) Grant {
	b.t.Helper()
	e, g, err := b.read(b.t.Context(), k, acceptAll)
	if err != nil {
		b.t.Fatalf("Read: %v", err)
	}
	if e.State != state || string(e.Value) != val || g.held != held {
		b.t.Fatalf("Read = %v %q held=%v, want %v %q held=%v", e.State, e.Value, g.held, state, val, held)
	}
	if granted := state != Fresh && !held; g.usable() != granted {
		b.t.Fatalf("Read = %v with grant %+v", e.State, g)
	}
	if g.held && (g.wait <= 0 || g.wait > k.Class.lease()) {
		b.t.Fatalf("held for %v", g.wait)
	}
	return g
}

func TestReadGrantsOneLoadAtATime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		g := b.reads(k, Miss, "", false)
		b.reads(k, Miss, "", true)
		b.reads(b.key(2), Miss, "", false) // another key has its own lease
		b.fill(k, g, value("v1", TagOf(k.ID)), OK)
		b.reads(k, Fresh, "v1", false)
	})
}

func TestReadOfASoftEntry(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		k.Class = &Class{Name: "soft", Soft: time.Microsecond, Hard: time.Hour}
		b.store(k, value("v1", TagOf(k.ID)))
		g := b.reads(k, Soft, "v1", false)
		b.reads(k, Soft, "v1", true)
		b.fill(k, g, value("v2", TagOf(k.ID)), OK)
		b.reads(k, Soft, "v2", false)
	})
}

func TestReadOfAnInvalidatedEntry(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", TagOf(k.ID), Tag{9}))
		b.bump(Tag{8})
		b.reads(k, Fresh, "v1", false)
		b.bump(Tag{9})
		b.reads(k, Stale, "", false) // removes the entry
		b.reads(k, Miss, "", true)
	})
}

func TestReadTakesOverAnOutdatedLease(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", Tag{9}))
		b.bump(Tag{9})
		slow := b.reads(k, Stale, "", false)
		b.bump(Tag{9})
		fast := b.reads(k, Miss, "", false)
		b.fill(k, slow, value("old", Tag{9}), Raced)
		b.reads(k, Miss, "", true) // the refused fill did not release the other's lease
		b.fill(k, fast, value("new", Tag{9}), OK)
		b.want(k, Fresh, "new")
	})
}

func TestReadUsesRememberedTagsOfALostEntry(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", Tag{9}))
		b.rdb.Del(t.Context(), k.entry())
		slow := b.reads(k, Miss, "", false)
		b.bump(Tag{9})
		b.reads(k, Miss, "", false)
		b.fill(k, slow, value("old", Tag{9}), Raced)
	})
}

func TestReadAfterAChangeOfServers(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		kept, touched, later, unread := b.key(1), b.key(2), b.key(3), b.key(4)
		b.store(kept, value("v1", TagOf(kept.ID)))
		b.store(touched, value("v2", TagOf(touched.ID)))
		b.store(unread, value("v5"))
		loading := b.grant(later)
		b.anotherPrimary()
		b.want(kept, Suspect, "v1")
		b.bump(TagOf(touched.ID))
		b.want(kept, Suspect, "v1")
		b.want(touched, Stale, "v2")
		g := b.reads(kept, Suspect, "", false)
		b.reads(kept, Suspect, "", true)
		b.want(kept, Suspect, "v1")
		b.reads(touched, Stale, "", false)
		b.fill(later, loading, value("v3"), Epoch)
		b.fill(kept, g, value("v4", TagOf(kept.ID)), OK)
		b.want(kept, Fresh, "v4")
		b.store(later, value("v3"))
		b.anotherPrimary()
		b.reads(unread, Stale, "", false) // begins an epoch; an entry from two epochs ago is stale
		b.want(later, Suspect, "v3")
		b.anotherPrimary()
		b.bump()
		b.want(later, Stale, "v3")
	})
}

func TestVersionsOfANewEpochOutweighAnyStamp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		ahead := b.bump() // from a former server whose clock was an hour ahead
		ahead.Stamp += uint64(time.Hour.Microseconds())
		b.fill(k, ahead, value("v1", Tag{1}), OK)
		b.want(k, Fresh, "v1")
		b.anotherPrimary()
		b.bump(Tag{2})
		b.want(k, Suspect, "v1")
		b.bump(Tag{1})
		b.want(k, Stale, "v1")
		b.reads(k, Stale, "", false)
	})
}

func TestReadAfterAFlush(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", TagOf(k.ID)))
		loading := b.grant(b.key(2))
		saved := b.rdb.Get(t.Context(), k.entry()).Val()
		b.rdb.FlushDB(t.Context())
		b.want(k, Miss, "")
		b.fill(b.key(2), loading, value("v2"), Epoch)
		b.reads(k, Miss, "", false)
		b.rdb.Set(t.Context(), k.entry(), saved, 0) // an entry that survived on a replica
		b.want(k, Stale, "v1")
		b.rdb.Del(t.Context(), metaKey(b.id))
		b.want(k, Stale, "v1")
		b.rdb.Del(t.Context(), k.lease())
		b.reads(k, Stale, "", false)
	})
}

func TestReleaseLetsOtherCallersLoad(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		g := b.grant(k)
		if err := b.release(t.Context(), k, g); err != nil {
			t.Fatal(err)
		}
		b.reads(k, Miss, "", false)
		if err := b.release(t.Context(), k, g); err != nil { // another caller holds the lease now
			t.Fatal(err)
		}
		b.reads(k, Miss, "", true)
		if err := b.release(t.Context(), k, b.bump()); err != nil { // a grant without a lease
			t.Error(err)
		}
		b.reads(k, Miss, "", true)
	})
}

func TestLeaseExpires(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		k.Class = &Class{Name: "short", Hard: time.Hour, Lease: 60 * time.Millisecond}
		first := b.grant(k)
		deadline := time.NewTimer(10 * time.Second)
		defer deadline.Stop()
		for {
			_, g, err := b.read(t.Context(), k, acceptAll)
			if err != nil {
				t.Fatal(err)
			}
			if !g.held {
				b.fill(k, g, value("second"), OK)
				break
			}
			select {
			case <-deadline.C:
				t.Fatal("the lease did not expire within 10 s")
			default:
			}
		}
		b.fill(k, first, value("first"), Older)
		b.want(k, Fresh, "second")
	})
}
