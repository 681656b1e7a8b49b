package cache

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestInvalidateAppendsToTheLog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		before, err := events.Last(t.Context(), b.rdb, b.id)
		if err != nil || before != 0 {
			t.Fatalf("Last = %d, %v", before, err)
		}
		body := events.Body{Kind: events.AppointmentChanged, Practice: ref(1), Refs: []phi.Ref{ref(2)}, Views: []phi.Ref{ref(3)}}
		g1, err := b.Invalidate(t.Context(), b.id, Change{Tags: []Tag{{2}, {1}, {2}}, Event: body, EventID: "t1/0"})
		if err != nil {
			t.Fatal(err)
		}
		g2 := b.bump()
		got := b.events()
		if len(got) != 2 {
			t.Fatalf("%d events", len(got))
		}
		for i := range got {
			if age := time.Since(got[i].At); age < -time.Minute || age > time.Minute {
				t.Errorf("event says %v ago", age)
			}
			got[i].At = time.Time{}
		}
		want := []events.Event{
			{Clock: g1.Stamp, Prev: 0, Epoch: g1.Epoch, ID: "t1/0", Tags: []Tag{{1}, {2}}, Body: body},
			{Clock: g2.Stamp, Prev: g1.Stamp, Epoch: g1.Epoch, Tags: []Tag{}, Body: events.Body{Kind: events.PatientChanged}},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestInvalidatePublishesANotification(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		sub := b.rdb.Subscribe(t.Context(), events.Channel(b.id))
		defer func() { _ = sub.Close() }()
		if _, err := sub.Receive(t.Context()); err != nil {
			t.Fatal(err)
		}
		g := b.bump(Tag{1})
		m, err := sub.ReceiveMessage(t.Context())
		if err != nil || m.Payload != strconv.FormatUint(g.Stamp, 10) {
			t.Errorf("notification %v, %v, want %d", m, err, g.Stamp)
		}
	})
}

func TestTailFollowsInvalidate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		const n = 50
		start := b.bump()
		done := make(chan error, 1)
		errDone := errors.New("done")
		go func() {
			prev, seen := start.Stamp, 0
			done <- events.Tail(t.Context(), b.rdb, b.id, start.Stamp, func(ev events.Event) error {
				if ev.Prev != prev {
					return errors.New("an event is missing")
				}
				prev = ev.Clock
				if seen++; seen == n {
					return errDone
				}
				return nil
			})
		}()
		for range n {
			b.bump(Tag{1})
		}
		if err := <-done; !errors.Is(err, errDone) {
			t.Error(err)
		}
	})
}

func TestInvalidateReplacesLastSeenRecordsOrDoesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		k := b.key(1)
		tag := TagOf(k.ID)
		swap := func(ss ...LastSeenUpdate) error {
			c := change(tag)
			c.LastSeen = ss
			_, err := b.Invalidate(t.Context(), b.id, c)
			return err
		}
		records := func(want ...[]byte) {
			t.Helper()
			got, err := b.LastSeen(t.Context(), b.id, "one", "two")
			if d := cmp.Diff(want, got); err != nil || d != "" {
				t.Fatalf("%v %s", err, d)
			}
		}
		records(nil, nil)
		odd := []byte("\x00'\xff{")
		if err := swap(LastSeenUpdate{Name: "one", Next: []byte("a")}, LastSeenUpdate{Name: "two", Next: odd, TTL: time.Hour}); err != nil {
			t.Fatal(err)
		}
		records([]byte("a"), odd)
		if ttl := b.rdb.PTTL(t.Context(), lastSeenKey(b.id, "two")).Val(); ttl <= 0 || ttl > time.Hour {
			t.Errorf("kept for %v", ttl)
		}
		if ttl := b.rdb.PTTL(t.Context(), lastSeenKey(b.id, "one")).Val(); ttl > 0 {
			t.Errorf("kept for %v", ttl)
		}
		b.store(k, value("v1", tag))
		before := b.dump()
		for name, ss := range map[string][]LastSeenUpdate{
			"first":        {{Name: "one", Expect: []byte("b"), Next: []byte("c")}, {Name: "two", Expect: odd, Next: []byte("c")}},
			"second":       {{Name: "one", Expect: []byte("a"), Next: []byte("c")}, {Name: "two", Expect: []byte("b"), Next: []byte("c")}},
			"expects none": {{Name: "one", Next: []byte("c")}},
			"expects one":  {{Name: "three", Expect: []byte("a")}},
		} {
			if err := swap(ss...); !errors.Is(err, ErrConflict) {
				t.Errorf("%s: %v, want ErrConflict", name, err)
			}
			if d := cmp.Diff(before, b.dump()); d != "" {
				t.Errorf("%s: data changed despite the conflict: %s", name, d)
			}
		}
		b.want(k, Fresh, "v1")
		if err := swap(LastSeenUpdate{Name: "one", Expect: []byte("a")}, LastSeenUpdate{Name: "two", Expect: odd, Next: []byte("c")}); err != nil {
			t.Fatal(err)
		}
		records(nil, []byte("c"))
		b.want(k, Stale, "v1")
	})
}

// events returns the whole event log.
func (b *fixture) events() []events.Event {
	b.t.Helper()
	rows, err := b.rdb.XRange(b.t.Context(), events.Key(b.id), "-", "+").Result()
	if err != nil {
		b.t.Fatal(err)
	}
	var out []events.Event
	for _, row := range rows {
		ev, err := events.Decode(row)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, ev)
	}
	return out
}

// dump returns all the data of the tenant in Redis.
func (b *fixture) dump() map[string]any {
	b.t.Helper()
	ctx := b.t.Context()
	out := make(map[string]any)
	for _, k := range b.rdb.Keys(ctx, "c1:*").Val() {
		switch b.rdb.Type(ctx, k).Val() {
		case "hash":
			out[k] = b.rdb.HGetAll(ctx, k).Val()
		case "stream":
			out[k] = b.rdb.XRange(ctx, k, "-", "+").Val()
		default:
			out[k] = b.rdb.Get(ctx, k).Val()
		}
	}
	return out
}

func TestClockContinuesAfterLossOfMetaHash(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		b.bump()
		// The log of a server whose clock was a day ahead, without a meta hash.
		ahead := b.bump().Stamp + uint64((24 * time.Hour).Microseconds())
		b.rdb.Del(t.Context(), metaKey(b.id))
		b.rdb.XAdd(t.Context(), xadd(events.Key(b.id), ahead))
		g := b.bump(Tag{1})
		if g.Stamp != ahead+1 {
			t.Errorf("clock %d after %d", g.Stamp, ahead)
		}
		k := b.key(1)
		b.fill(k, g, value("v", Tag{1}), OK)
		b.want(k, Fresh, "v")
		if next := b.bump(Tag{1}); next.Stamp != ahead+2 {
			t.Errorf("clock %d after %d", next.Stamp, ahead+1)
		}
		b.want(k, Stale, "v")
	})
}

func TestLogIsTrimmedByTime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		b.retain = time.Nanosecond // rounds to 0 µs, so every event is old at once
		for range 300 {            // Redis trims whole nodes of 100
			b.bump(Tag{1})
		}
		n := b.rdb.XLen(t.Context(), events.Key(b.id)).Val()
		if n < 1 || n > 200 {
			t.Errorf("%d events kept", n)
		}
		if err := events.Tail(t.Context(), b.rdb, b.id, 1, func(events.Event) error { return nil }); !errors.Is(err, events.ErrGap) {
			t.Errorf("reading trimmed events: %v", err)
		}
	})
}

func TestInvalidateChecksLimitsLocally(t *testing.T) {
	t.Parallel()
	b := newFixture(t, redistest.New)
	tags := make([]Tag, MaxChange+1)
	records := make([]LastSeenUpdate, MaxLastSeen+1)
	for i := range tags {
		tags[i] = Tag([]byte(strings.Repeat("x", 6) + string([]byte{byte(i >> 8), byte(i)})))
		records[i].Name = strconv.Itoa(i)
	}
	ok := events.Body{Kind: events.PatientChanged}
	for name, row := range map[string]struct {
		c       Change
		limited bool
	}{
		"tags":         {Change{Event: ok, Tags: tags}, true},
		"event id":     {Change{Event: ok, EventID: strings.Repeat("x", events.MaxID+1)}, true},
		"records":      {Change{Event: ok, LastSeen: records}, true},
		"record size":  {Change{Event: ok, LastSeen: []LastSeenUpdate{{Name: "a", Next: bytes.Repeat([]byte("x"), MaxLastSeenBytes+1)}}}, true},
		"nameless":     {Change{Event: ok, LastSeen: []LastSeenUpdate{{}}}, false},
		"twice":        {Change{Event: ok, LastSeen: []LastSeenUpdate{{Name: "a"}, {Name: "a"}}}, false},
		"negative ttl": {Change{Event: ok, LastSeen: []LastSeenUpdate{{Name: "a", TTL: -1}}}, false},
		"no event":     {Change{}, false},
	} {
		_, err := b.Invalidate(t.Context(), b.id, row.c)
		var le *LimitError
		if err == nil || errors.As(err, &le) != row.limited {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.Invalidate(t.Context(), "", change()); err == nil {
		t.Error("no error without a tenant")
	}
}

func TestInvalidateAcceptsAFullChange(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		c := change()
		for i := range MaxChange {
			c.Tags = append(c.Tags, Tag{1, byte(i)})
		}
		for i := range MaxLastSeen {
			c.LastSeen = append(c.LastSeen, LastSeenUpdate{Name: strconv.Itoa(i), Next: []byte{1}})
		}
		k := b.key(1)
		b.store(k, value("v", Tag{1, MaxChange - 1}))
		if _, err := b.Invalidate(t.Context(), b.id, c); err != nil {
			t.Fatal(err)
		}
		b.want(k, Stale, "v")
	})
}
