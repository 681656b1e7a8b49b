package events

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func clocks(evs []Event) []uint64 {
	var out []uint64
	for _, ev := range evs {
		out = append(out, ev.Clock)
	}
	return out
}

func TestReadStartsAtTheCursor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		if evs, err := l.read(t.Context(), 0); err != nil || len(evs) != 0 {
			t.Fatalf("empty log: %v, %v", evs, err)
		}
		l.began(100)
		for _, c := range []uint64{110, 120, 130, 140} {
			l.write(c)
		}
		for _, row := range []struct {
			after uint64
			want  []uint64
		}{
			{0, []uint64{110, 120, 130, 140}},
			{100, []uint64{110, 120, 130, 140}},
			{120, []uint64{130, 140}},
			{125, []uint64{130, 140}}, // the stamp of a cache entry
			{140, nil},
			{999, nil},
		} {
			evs, err := l.read(t.Context(), row.after)
			if err != nil {
				t.Errorf("after %d: %v", row.after, err)
			}
			if d := cmp.Diff(row.want, clocks(evs)); d != "" {
				t.Errorf("after %d: %s", row.after, d)
			}
		}
	})
}

func TestReadDetectsEveryGap(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		damage func(l *testLog)
		after  uint64
	}{
		"trimmed past the cursor": {func(l *testLog) { l.trim(140) }, 110},
		"hole in the middle": {func(l *testLog) {
			l.rdb.XDel(l.t.Context(), Key(l.id), "130-0")
		}, 110},
		"flushed": {func(l *testLog) { l.rdb.FlushDB(l.t.Context()) }, 140},
		"flushed, new log": {func(l *testLog) {
			l.rdb.FlushDB(l.t.Context())
			l.last = 0
			l.began(150)
			l.write(150)
		}, 140},
		"another server took over": {func(l *testLog) { l.began(150) }, 140},
		"unreadable": {func(l *testLog) {
			e := entry(150, 140)
			e["b"] = "?"
			l.writeRaw(150, e)
		}, 140},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, l *testLog) {
				l.began(100)
				for _, c := range []uint64{110, 120, 130, 140} {
					l.write(c)
				}
				if _, err := l.read(t.Context(), row.after); err != nil {
					t.Fatalf("before: %v", err)
				}
				row.damage(l)
				if evs, err := l.read(t.Context(), row.after); !errors.Is(err, ErrGap) {
					t.Errorf("read = %v, %v, want ErrGap", clocks(evs), err)
				}
				cursor, err := Last(t.Context(), l.rdb, l.id)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.read(t.Context(), cursor); err != nil {
					t.Errorf("from Last = %d: %v", cursor, err)
				}
			})
		})
	}
}

func TestCursorZeroReadsATrimmedLog(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		l.write(120)
		l.trim(120)
		evs, err := l.read(t.Context(), 0)
		if d := cmp.Diff([]uint64{120}, clocks(evs)); err != nil || d != "" {
			t.Errorf("%v %s", err, d)
		}
	})
}

func TestLast(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		want := func(n uint64) {
			t.Helper()
			if got, err := Last(t.Context(), l.rdb, l.id); err != nil || got != n {
				t.Errorf("Last = %d, %v, want %d", got, err, n)
			}
		}
		want(0)
		l.began(100)
		want(100)
		l.write(110)
		want(110)
		l.began(120)
		want(120)
	})
}

func TestReadErrors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.read(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("read = %v", err)
		}
		if _, err := Last(ctx, l.rdb, l.id); !errors.Is(err, context.Canceled) {
			t.Errorf("Last = %v", err)
		}
		l.rdb.HSet(t.Context(), metaKey(l.id), "f", "soon")
		if _, err := l.read(t.Context(), 0); !errors.Is(err, ErrMalformed) {
			t.Errorf("read with a malformed epoch = %v", err)
		}
	})
}
