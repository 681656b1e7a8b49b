package events

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// runningTail is a Tail in a goroutine.
type runningTail struct {
	t      *testing.T
	events chan Event
	done   chan error
	cancel context.CancelFunc
}

func startTail(t *testing.T, rdb *redis.Client, l *testLog, after uint64) *runningTail {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	tl := &runningTail{t: t, events: make(chan Event, 1000), done: make(chan error, 1), cancel: cancel}
	go func() {
		tl.done <- Tail(ctx, rdb, l.id, after, func(ev Event) error { tl.events <- ev; return nil })
	}()
	t.Cleanup(cancel)
	return tl
}

func (tl *runningTail) next(want uint64) {
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

func (tl *runningTail) ended(want error) {
	tl.t.Helper()
	if err := <-tl.done; !errors.Is(err, want) {
		tl.t.Fatalf("Tail = %v, want %v", err, want)
	}
	if len(tl.events) > 0 {
		tl.t.Fatalf("%d unexpected events", len(tl.events))
	}
}

// waitForSubscriber waits until the server has a subscriber.
func waitForSubscriber(t *testing.T, l *testLog) {
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
		waitForSubscriber(t, l)
		start := time.Now()
		for c := uint64(130); c < 150; c++ {
			l.write(c)
			l.notify()
			tl.next(c)
		}
		if took := time.Since(start); took > pollInterval {
			t.Errorf("20 events took %v: Tail polls instead of using notifications", took)
		}
		tl.cancel()
		tl.ended(context.Canceled)
	})
}

func TestTailPollsWithoutNotifications(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		tl := startTail(t, l.rdb, l, 0)
		waitForSubscriber(t, l)
		l.write(110) // no notification
		tl.next(110)
		l.write(120)
		tl.next(120)
		tl.cancel()
		tl.ended(context.Canceled)
	})
}

func TestTailReturnsErrGap(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		l.write(120)
		tl := startTail(t, l.rdb, l, 100)
		tl.next(110)
		tl.next(120)
		waitForSubscriber(t, l)
		l.rdb.FlushDB(t.Context())
		l.last = 0
		l.began(130)
		l.write(130)
		l.notify()
		tl.ended(ErrGap)
	})
}

func TestTailOfAnEmptyLogDetectsALoss(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		follow := func(after uint64) (uint64, error) {
			return catchUp(t.Context(), l.rdb, l.id, after, func(Event) error { return nil })
		}
		cursor, err := follow(0)
		if err != nil || cursor != 100 {
			t.Fatalf("cursor of an empty log = %d, %v, want the start of the epoch", cursor, err)
		}
		l.began(200)
		if _, err := follow(cursor); !errors.Is(err, ErrGap) {
			t.Errorf("after the loss: %v, want ErrGap", err)
		}
	})
}

func TestTailReturnsTheCallbackError(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.began(100)
		l.write(110)
		errDone := errors.New("done")
		if err := Tail(t.Context(), l.rdb, l.id, 0, func(Event) error { return errDone }); !errors.Is(err, errDone) {
			t.Errorf("Tail = %v", err)
		}
	})
}

func TestTailReturnsWhenRedisRefuses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, l *testLog) {
		l.rdb.Set(t.Context(), Key(l.id), "not a stream", 0)
		err := Tail(t.Context(), l.rdb, l.id, 0, func(Event) error { return nil })
		if _, ok := errors.AsType[redis.Error](err); !ok {
			t.Errorf("Tail = %v, want the server's error", err)
		}
	})
}

func TestTailReadsMoreThanAPage(t *testing.T) {
	t.Parallel()
	l := newLog(t, redistest.New)
	l.began(100)
	var want []uint64
	for c := uint64(101); c <= 101+maxPage; c++ {
		l.write(c)
		want = append(want, c)
	}
	var got []uint64
	errDone := errors.New("done")
	err := Tail(t.Context(), l.rdb, l.id, 100, func(ev Event) error {
		if got = append(got, ev.Clock); len(got) == len(want) {
			return errDone
		}
		return nil
	})
	if d := cmp.Diff(want, got); !errors.Is(err, errDone) || d != "" {
		t.Errorf("%v %s", err, d)
	}
}
