package events

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// tailing is one Tail that runs beside the test.
type tailing struct {
	t      *testing.T
	events chan Event
	done   chan error
	cancel context.CancelFunc
}

func startTail(t *testing.T, rdb *redis.Client, l *testLog, after uint64) *tailing {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	tl := &tailing{t: t, events: make(chan Event, 1000), done: make(chan error, 1), cancel: cancel}
	go func() {
		tl.done <- Tail(ctx, rdb, l.id, after, func(ev Event) error { tl.events <- ev; return nil })
	}()
	t.Cleanup(cancel)
	return tl
}

func (tl *tailing) next(want uint64) {
	tl.t.Helper()
	select {
	case ev := <-tl.events:
		if ev.Clock != want {
			tl.t.Fatalf("got event %d, want %d", ev.Clock, want)
		}
	case err := <-tl.done:
		tl.t.Fatalf("Tail ended before event %d: %v", want, err)
	}
}

func (tl *tailing) ended(want error) {
	tl.t.Helper()
	if err := <-tl.done; !errors.Is(err, want) {
		tl.t.Fatalf("Tail = %v, want %v", err, want)
	}
	if len(tl.events) > 0 {
		tl.t.Fatalf("%d events nobody asked for", len(tl.events))
	}
}

// listening waits until the server knows a subscriber.
func listening(t *testing.T, l *testLog) {
	t.Helper()
	for {
		n, err := l.rdb.PubSubNumSub(t.Context(), Channel(l.id)).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n[Channel(l.id)] > 0 {
			return
		}
	}
}

func TestTailCatchesUpThenFollows(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		l.write(120)
		tl := startTail(t, l.rdb, l, 110)
		tl.next(120)
		listening(t, l)
		start := time.Now()
		for c := uint64(130); c < 150; c++ {
			l.write(c)
			l.ring()
			tl.next(c)
		}
		if took := time.Since(start); took > poll {
			t.Errorf("20 events took %v: the doorbell was not heard", took)
		}
		tl.cancel()
		tl.ended(context.Canceled)
	})
}

func TestTailLooksOnceASecondWhenTheBellIsQuiet(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		tl := startTail(t, l.rdb, l, 0)
		listening(t, l)
		l.write(110) // no ring
		tl.next(110)
		l.write(120)
		tl.next(120)
		tl.cancel()
		tl.ended(context.Canceled)
	})
}

func TestTailEndsAtAGap(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		l.write(120)
		tl := startTail(t, l.rdb, l, 100)
		tl.next(110)
		tl.next(120)
		listening(t, l)
		l.rdb.FlushDB(t.Context())
		l.last = 0
		l.began(130)
		l.write(130)
		l.ring()
		tl.ended(ErrGap)
	})
}

func TestTailOfAnEmptyLogNoticesALoss(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		follow := func(after uint64) (uint64, error) {
			return catchUp(t.Context(), l.rdb, l.id, after, func(Event) error { return nil })
		}
		cursor, err := follow(0)
		if err != nil || cursor != 100 {
			t.Fatalf("cursor of an empty log = %d, %v, want the epoch's beginning", cursor, err)
		}
		l.began(200)
		if _, err := follow(cursor); !errors.Is(err, ErrGap) {
			t.Errorf("after the loss: %v, want ErrGap", err)
		}
	})
}

func TestTailReturnsTheErrorOfItsFunction(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		enough := errors.New("enough")
		if err := Tail(t.Context(), l.rdb, l.id, 0, func(Event) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("Tail = %v", err)
		}
	})
}

func TestTailEndsWhenRedisRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.rdb.Set(t.Context(), Key(l.id), "not a stream", 0)
		err := Tail(t.Context(), l.rdb, l.id, 0, func(Event) error { return nil })
		if _, ok := errors.AsType[redis.Error](err); !ok {
			t.Errorf("Tail = %v, want the server's refusal", err)
		}
	})
}

func TestTailHandsOverMoreThanAPage(t *testing.T) {
	t.Parallel()
	l := newLog(t, redistest.New)
	l.began(100)
	var want []uint64
	for c := uint64(101); c <= 101+maxPage; c++ {
		l.write(c)
		want = append(want, c)
	}
	var got []uint64
	enough := errors.New("enough")
	err := Tail(t.Context(), l.rdb, l.id, 100, func(ev Event) error {
		if got = append(got, ev.Clock); len(got) == len(want) {
			return enough
		}
		return nil
	})
	if d := cmp.Diff(want, got); !errors.Is(err, enough) || d != "" {
		t.Errorf("%v %s", err, d)
	}
}

// cutter dials the real server and can cut every connection that it made, and refuse new ones.
type cutter struct {
	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errors.New("down")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err == nil {
		c.conns = append(c.conns, conn)
	}
	return conn, err
}

func (c *cutter) set(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

func TestTailOutlivesABrokenConnection(t *testing.T) {
	t.Parallel()
	l := newLog(t, redistest.New)
	c := &cutter{}
	o := l.rdb.Options()
	rdb := redis.NewClient(&redis.Options{Network: o.Network, Addr: o.Addr, DB: o.DB, Dialer: c.dial, MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	l.began(100)
	l.write(110)
	tl := startTail(t, rdb, l, 100)
	tl.next(110)
	listening(t, l)
	c.set(true)
	l.write(120)
	l.ring()
	c.set(false)
	tl.next(120)
	listening(t, l)
	l.write(130)
	l.ring()
	tl.next(130)
	tl.cancel()
	tl.ended(context.Canceled)
}
