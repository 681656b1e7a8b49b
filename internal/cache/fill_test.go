package cache

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFillResults(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		tag := TagOf(k.ID)
		first := b.grant(k)
		second := b.bump(Tag{1}) // not a tag of the entry
		b.fill(k, second, value("second", tag), OK)
		b.fill(k, first, value("first", tag), Older)
		b.fill(k, second, value("again", tag), OK)
		b.bump(tag)
		b.fill(k, second, value("second", tag), Raced)
		b.fill(k, second, value("second"), OK) // an entry without tags cannot race

		old := second
		old.Stamp -= uint64((maxFillAge + time.Second).Microseconds())
		b.fill(k, old, value("old"), TooOld)

		foreign := second
		foreign.Epoch[0]++
		b.fill(k, foreign, value("foreign"), Epoch)
		b.anotherPrimary()
		b.fill(k, second, value("second"), Epoch)
		b.fill(k, second, value("second"), Epoch)
	})
}

func TestPeekReturnsWhatFillStored(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		g := b.grant(k)
		v := Value{Bytes: []byte("v1"), Tags: []Tag{{2}, {1}, {2}}, Cost: 1500 * time.Millisecond}
		b.fill(k, g, v, OK)
		e := b.want(k, Fresh, "v1")
		if d := cmp.Diff([]Tag{{1}, {2}}, e.Tags); d != "" {
			t.Error(d)
		}
		if e.Stamp != g.Stamp || e.AsOf != time.UnixMicro(int64(g.Stamp)) || e.Cost != v.Cost || e.Negative {
			t.Errorf("entry %+v for grant %+v", e, g)
		}
		if e.Age <= 0 || e.Age > time.Minute {
			t.Errorf("age %v", e.Age)
		}
		ttl := b.rdb.PTTL(t.Context(), k.entry()).Val()
		if ttl > patients.Hard || ttl < patients.Hard*8/10 {
			t.Errorf("time to live %v for hard %v", ttl, patients.Hard)
		}
	})
}

func TestFillStoresAbsence(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		b.store(k, Value{Negative: true, Bytes: []byte("ignored"), Tags: []Tag{TagOf(k.ID)}})
		if e := b.want(k, Fresh, ""); !e.Negative {
			t.Error("the entry is not negative")
		}
		if ttl := b.rdb.PTTL(t.Context(), k.entry()).Val(); ttl > defaultNegative {
			t.Errorf("absence cached for %v", ttl)
		}
		b.bump(TagOf(k.ID))
		if e := b.want(k, Stale, ""); !e.Negative {
			t.Error("the entry is not negative")
		}
		b.store(k, value("", TagOf(k.ID)))
		if e := b.want(k, Fresh, ""); e.Negative {
			t.Error("an empty value is not an absence")
		}
	})
}

func TestFillManyUnderOneInvalidation(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		loading := b.grant(b.key(1))
		g := b.bump(TagOf(ref(1)), TagOf(ref(2)))
		var items []Item
		for n := range 5 {
			items = append(items, Item{Key: b.key(n), Value: value(string(ref(n)), TagOf(ref(n)))})
		}
		b.rdb.ScriptFlush(t.Context())
		for range 2 { // first without the script on the server, then with it
			rs, err := b.FillMany(t.Context(), g, items)
			if d := cmp.Diff(make([]Result, 5), rs); err != nil || d != "" {
				t.Fatalf("%v %s", err, d)
			}
		}
		b.fill(b.key(1), loading, value("old", TagOf(ref(1))), Raced)
		b.bump(TagOf(ref(3)))
		rs, err := b.FillMany(t.Context(), g, items)
		if d := cmp.Diff([]Result{OK, OK, OK, Raced, OK}, rs); err != nil || d != "" {
			t.Fatalf("%v %s", err, d)
		}
		es, err := b.PeekMany(t.Context(), []Key{b.key(0), b.key(3), b.key(9)})
		if err != nil {
			t.Fatal(err)
		}
		if es[0].State != Fresh || es[1].State != Stale || es[2].State != Miss || string(es[0].Value) != string(ref(0)) {
			t.Errorf("%+v", es)
		}
	})
}

func TestFillChecksLimitsLocally(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		g := b.grant(k)
		many := make([]Tag, MaxTags+1)
		for i := range many {
			many[i][0] = byte(i)
		}
		rows := map[string]Item{
			"value": {k, Value{Bytes: make([]byte, MaxValue+1)}},
			"tags":  {k, Value{Tags: many}},
		}
		for name, it := range rows {
			_, err := b.fillOne(t.Context(), it.Key, g, it.Value)
			var le *LimitError
			if !errors.As(err, &le) || !le.Permanent() || le.Got != le.Max+1 {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, bad := range map[string]Grant{"none": {}, "held": {held: true, Stamp: 1}} {
			if _, err := b.fillOne(t.Context(), k, bad, value("v")); err == nil {
				t.Errorf("no error with the grant %s", name)
			}
		}
		if _, err := b.FillMany(t.Context(), g, make([]Item, MaxFill+1)); err == nil {
			t.Error("no error beyond MaxFill")
		}
		b.fill(k, g, Value{Bytes: []byte(strings.Repeat("x", MaxValue)), Tags: many[1:]}, OK)
		b.want(k, Fresh, strings.Repeat("x", MaxValue))
	})
}
