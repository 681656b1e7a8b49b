package cache

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// logged is a log whose lines a test reads.
type logged struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

// taken returns what was logged since the last call.
func (l *logged) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.lines.Reset()
	return l.lines.String()
}

func observed(t *testing.T) (context.Context, *logged) {
	t.Helper()
	var l logged
	tel, err := telemetry.New(nil, nil, slog.New(slog.NewTextHandler(&l, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.With(t.Context(), tel), &l
}

// What Redis returns instead of a key's entry is a miss, is counted with a code, and is replaced by
// the next load or fill.
func TestUnusableEntries(t *testing.T) {
	t.Parallel()
	flip := func(at int) func(*fixture, string, string) {
		return func(b *fixture, key, raw string) {
			bytes := []byte(raw)
			bytes[(at+len(bytes))%len(bytes)] ^= 1
			b.rdb.Set(b.t.Context(), key, bytes, 0)
		}
	}
	for name, c := range map[string]struct {
		code string
		harm func(b *fixture, key, raw string)
	}{
		"of another key": {"seal_broken", func(b *fixture, key, _ string) {
			b.fill(b.key(2), b.bump(), value("another"), OK)
			b.rdb.Set(b.t.Context(), key, b.rdb.Get(b.t.Context(), b.key(2).entry()).Val(), 0)
		}},
		"of another key ID":  {"seal_broken", flip(3)},
		"another stamp":      {"seal_broken", flip(11)},
		"another tag":        {"seal_broken", flip(headerFixed)},
		"another value":      {"seal_broken", flip(-1)},
		"cut in the value":   {"seal_broken", func(b *fixture, key, raw string) { b.rdb.Set(b.t.Context(), key, raw[:len(raw)-1], 0) }},
		"cut to the header":  {"seal_broken", func(b *fixture, key, raw string) { b.rdb.Set(b.t.Context(), key, raw[:headerFixed+8], 0) }},
		"cut in the header":  {"value_foreign", func(b *fixture, key, raw string) { b.rdb.Set(b.t.Context(), key, raw[:headerFixed-1], 0) }},
		"of another format":  {"value_foreign", flip(0)},
		"more tags":          {"value_foreign", func(b *fixture, key, raw string) { b.rdb.Set(b.t.Context(), key, raw[:48]+"\xff"+raw[49:], 0) }},
		"of another program": {"value_foreign", func(b *fixture, key, _ string) { b.rdb.Set(b.t.Context(), key, "Maria Muster", 0) }},
		"another type": {"value_foreign", func(b *fixture, key, _ string) {
			b.rdb.Del(b.t.Context(), key)
			b.rdb.LPush(b.t.Context(), key, "Maria Muster")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, b *fixture) {
				k := b.key(1)
				harm := func() {
					b.fill(k, b.bump(), value("v1", TagOf(k.ID)), OK)
					raw := b.rdb.Get(t.Context(), k.entry()).Val()
					c.harm(b, k.entry(), raw)
				}
				harm()
				ctx, log := observed(t)
				if e, err := b.Peek(ctx, k); err != nil || e.State != Miss || e.Value != nil || e.Class() != "patient" {
					t.Errorf("Peek = %+v, %v", e, err)
				}
				if line := log.taken(); !strings.Contains(line, "code="+c.code+" class=patient count=1\n") || strings.Contains(line, "Maria") {
					t.Errorf("logged %q", line)
				}
				e, err := b.Load(ctx, k, Entry{}, nil, func(context.Context, Grant) (Value, error) { return value("v2"), nil })
				if err != nil || string(e.Value) != "v2" {
					t.Errorf("Load = %+v, %v", e, err)
				}
				b.want(k, Fresh, "v2")
				harm()
				b.fill(k, b.bump(), value("v3"), OK)
				b.want(k, Fresh, "v3")
				if log.taken() != "" {
					t.Error("more than one line a minute")
				}
			})
		})
	}
}

// A last-seen record whose key holds something else counts as none.
func TestLastSeenOfAnotherType(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, b *fixture) {
		b.rdb.LPush(t.Context(), lastSeenKey(b.id, "one"), "Maria Muster")
		if seen := b.lastSeen("one"); seen != nil {
			t.Errorf("read %q", seen)
		}
		ch := change()
		ch.LastSeen = []LastSeenUpdate{{Name: "one", Next: []byte("a")}}
		if _, err := b.Invalidate(t.Context(), b.id, ch); err != nil {
			t.Fatal(err)
		}
		if seen := b.lastSeen("one"); string(seen) != "a" {
			t.Errorf("replaced by %q", seen)
		}
	})
}
