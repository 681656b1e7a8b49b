package cache

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestCopiedEntryIsAMiss(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, value("v1", TagOf(k.ID)))
		raw := b.rdb.Get(t.Context(), k.entry()).Val()
		meta := b.rdb.HGetAll(t.Context(), metaKey(b.id)).Val()

		tenants, ids, classes := k, k, k
		tenants.Tenant += "-x"
		ids.ID = ref(2)
		classes.Class = &Class{Name: "patient-two", Hard: time.Hour}
		for name, to := range map[string]Key{"tenant": tenants, "id": ids, "class": classes} {
			// The other tenant gets the same meta hash too, so that only the seal can detect the
			// copy.
			b.rdb.HSet(t.Context(), metaKey(to.Tenant), meta)
			b.rdb.Set(t.Context(), to.entry(), raw, time.Hour)
			b.want(to, Miss, "")
			e, g, err := b.read(t.Context(), to, acceptAll)
			if err != nil || e.State != Miss || e.Value != nil || !g.usable() {
				t.Errorf("%s: Read = %+v, %+v, %v", name, e, g, err)
			}
			if b.rdb.Exists(t.Context(), to.entry()).Val() != 0 {
				t.Errorf("%s: the entry still exists", name)
			}
			b.fill(to, g, value("v2"), OK)
			b.want(to, Fresh, "v2")
		}
		b.want(k, Fresh, "v1")
	})
}

func TestDamagedEntryIsAMiss(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		g := b.store(k, value("v1", TagOf(k.ID)))
		raw := b.rdb.Get(t.Context(), k.entry()).Val()
		damaged := map[string]string{"empty tail": raw[:headerFixed+8], "cut": raw[:len(raw)-1], "head only": raw[:20], "text": "hello"}
		for i := range len(raw) {
			x := []byte(raw)
			x[i] ^= 0x40
			damaged[string(rune('0'+i/100))+string(rune('0'+i/10%10))+string(rune('0'+i%10))] = string(x)
		}
		for name, bad := range damaged {
			b.rdb.Set(t.Context(), k.entry(), bad, time.Hour)
			e, err := b.Peek(t.Context(), k)
			if err != nil || e.State != Miss || e.Value != nil {
				t.Errorf("%s: Peek = %v, %v", name, e.State, err)
			}
			e, got, err := b.read(t.Context(), k, acceptAll)
			// read classifies an entry before it opens it, so one with a damaged epoch is Stale.
			if err != nil || e.State != Miss && e.State != Stale || e.Value != nil || !got.usable() || got.Stamp <= g.Stamp {
				t.Fatalf("%s: Read = %v, %+v, %v", name, e.State, got, err)
			}
			b.fill(k, got, value("v2", TagOf(k.ID)), OK)
			b.want(k, Fresh, "v2")
			g = got
		}
	})
}

func TestSealedEntryRevealsNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		secret := []byte(strings.Repeat("Zebulon Quill 1971-02-03 ", 200))
		k, twin := b.key(1), b.key(2)
		b.store(k, Value{Bytes: secret})
		b.store(twin, Value{Bytes: secret})
		one, two := b.want(k, Fresh, string(secret)), b.want(twin, Fresh, string(secret))
		for _, raw := range b.dump() {
			if s, ok := raw.(string); ok && (strings.Contains(s, "Zebulon") || strings.Contains(s, "1971")) {
				t.Error("a value is stored in clear")
			}
		}
		if one.ContentHash == two.ContentHash {
			t.Error("two entries with the same content have the same hash")
		}
		if n := b.rdb.StrLen(t.Context(), k.entry()).Val(); n > int64(len(secret)/4) {
			t.Errorf("%d bytes stored of %d: not compressed", n, len(secret))
		}
		b.replace(k, Value{Bytes: secret})
		if again := b.want(k, Fresh, string(secret)); again.ContentHash != one.ContentHash || again.Stamp == one.Stamp {
			t.Error("the same content has another hash, or the entry was not replaced")
		}
		b.replace(k, Value{Bytes: append(bytes.Clone(secret), '.')})
		e, err := b.Peek(t.Context(), k)
		if err != nil || e.ContentHash == one.ContentHash {
			t.Errorf("different content has the same hash (%v)", err)
		}
	})
}

func TestDataKeyIsFetchedOnceAndItsLossIsAnError(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	gone := errors.New("gone")
	calls, fail := 0, false
	key, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Options{Redis: b.rdb, Sealer: b.keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) {
		if calls++; fail {
			return nil, gone
		}
		return key, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	k := b.key(1)
	g := b.bump()
	fail = true
	if _, err := c.fillOne(t.Context(), k, g, value("v")); !errors.Is(err, gone) {
		t.Errorf("Fill = %v", err)
	}
	fail = false
	for range 3 {
		if r, err := c.fillOne(t.Context(), k, g, value("v")); err != nil || r != OK {
			t.Fatalf("Fill = %v, %v", r, err)
		}
	}
	if calls != 2 {
		t.Errorf("fetched the key %d times, want 2", calls)
	}
	c.codec.keys = map[tenant.ID]cachedKey{}
	fail = true
	if _, err := c.Peek(t.Context(), k); !errors.Is(err, gone) {
		t.Errorf("Peek = %v", err)
	}
	if _, _, err := c.read(t.Context(), k, acceptAll); !errors.Is(err, gone) {
		t.Errorf("Read = %v", err)
	}
	fail = false
	if key, err = phi.NewDataKey(); err != nil {
		t.Fatal(err)
	}
	e, err := c.Peek(t.Context(), k)
	if d := cmp.Diff(Miss, e.State); err != nil || d != "" {
		t.Errorf("an entry under a deleted key: %v %s", err, d)
	}
}
