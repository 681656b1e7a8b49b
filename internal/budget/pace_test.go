package budget

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestSlotsAreSpaced(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		first := acquire(t, p, op, background)
		// A missing key may have been lost a moment after a call: even the first grant waits.
		if first.Decision != Granted || first.Wait < 90*time.Millisecond || first.Wait > interval {
			t.Fatalf("first slot: %+v", first)
		}
		if first.window != 20*time.Millisecond {
			t.Errorf("the slot is good for %v, want half the margin", first.window)
		}
		if got := first.SendBy().Sub(first.asked); got != first.Wait+first.window {
			t.Errorf("send within %v of asking, want %v", got, first.Wait+first.window)
		}
		last := first
		for range 5 {
			s := acquire(t, p, op, background)
			if s.Decision != Granted || micros(s.at-last.at) != 140*time.Millisecond {
				t.Fatalf("after %+v: %+v", last, s)
			}
			last = s
		}
		other := op
		other.Name = "GetProviders"
		if s := acquire(t, p, other, background); s.Wait > interval {
			t.Errorf("another operation's first slot: %+v", s)
		}
		if ttl := rdb.PTTL(t.Context(), op.key()).Val(); ttl < time.Hour {
			t.Errorf("the budget expires after %v", ttl)
		}
	})
}

// Whatever several processes do at the same time, no two grants that were used are closer than the
// interval.
func TestUsedSlotsKeepTheirInterval(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(time.Duration(rapid.Int64Range(1, 50_000).Draw(rt, "interval")) * time.Microsecond)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.key())
		var mu sync.Mutex
		var used []int64
		var wg sync.WaitGroup
		for range rapid.IntRange(1, 4).Draw(rt, "processes") {
			p := newPace(t, rdb, func(o *Options) {
				o.MinMargin = time.Duration(rapid.Int64Range(1, 10_000).Draw(rt, "margin")) * time.Microsecond
			})
			steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 12).Draw(rt, "steps")
			wg.Go(func() {
				for _, step := range steps {
					at, err := play(t, p, op, step)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					used = append(used, at...)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(used)
		for i := 1; i < len(used); i++ {
			if gap := micros(used[i] - used[i-1]); gap < op.Interval {
				rt.Fatalf("grants %v apart, interval %v", gap, op.Interval)
			}
		}
	})
}

// play asks for one slot, may refund it or report a throttle response, and returns the slot if it
// was used.
func play(t *testing.T, p *Pace, op Operation, step int) (used []int64, err error) {
	s, err := p.Acquire(t.Context(), op, Demand{Interactive: step%2 == 0, Limit: p.o.MaxWait, Slowdown: 1 + step%4})
	if err != nil || s.Decision != Granted {
		return nil, err
	}
	switch step {
	case 9: // the refund may fail; then the slot is lost
		p.Refund(t.Context(), op, s)
		return nil, nil
	case 8: // a throttle response at a known interval
		p.Throttled(t.Context(), op, s, 0)
	}
	return []int64{s.at}, nil
}

// The background never fills the time in which interactive callers wait, and holds back during
// their demand.
func TestInteractiveShare(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		grants := 0
		for acquire(t, p, op, background).Decision == Granted {
			grants++
		}
		if grants < 10 {
			t.Errorf("alone, the background was granted %d slots ahead, want all but one of 14", grants)
		}
		if s := acquire(t, p, op, interactive); s.Decision != Granted {
			t.Fatalf("behind a full background, an interactive caller gets %+v", s)
		}
		if s := acquire(t, p, op, background); s.Decision == Granted {
			t.Errorf("the background queues %v ahead during interactive demand", s.Wait)
		}
	})
}

// Under constant demand of both, the background gets at most two slots in three.
func TestBackgroundHoldsBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(time.Second)
	acquire(t, p, op, interactive)
	for range 3 {
		// The moment after the last slot, with no caller waiting.
		now := rdb.Time(t.Context()).Val()
		rdb.HSet(t.Context(), op.key(), "next", now.UnixMicro(), "back", now.Add(-1200*time.Millisecond).UnixMicro())
		if s := acquire(t, p, op, background); s.Decision != Granted || s.Wait < 300*time.Millisecond || s.Wait > 600*time.Millisecond {
			t.Errorf("one slot after its last, the background gets %+v, want a wait of half a slot", s)
		}
	}
	rdb.HSet(t.Context(), op.key(), "asked", 1, "next", 1)
	if s := acquire(t, p, op, background); s.Decision != Granted || s.Wait != 0 {
		t.Errorf("without interactive demand, the background does not get its share: %+v", s)
	}
}

// After the clock of a server is set back, an account must not stop for as long as the clock was
// ahead.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	ahead := rdb.Time(t.Context()).Val().Add(24 * time.Hour).UnixMicro()
	rdb.HSet(t.Context(), op.key(), "next", ahead, "blocked", ahead)
	if s := acquire(t, p, op, interactive); s.Decision == Granted || s.Wait > 2*time.Minute {
		t.Errorf("slot %+v", s)
	}
}

func TestRefundReturnsOnlyTheLastSlot(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		next := func() int64 {
			n, _ := rdb.HGet(t.Context(), op.key(), "next").Int64()
			return n
		}
		first := acquire(t, p, op, background)
		second := acquire(t, p, op, background)
		p.Refund(t.Context(), op, first)
		if next() != second.next {
			t.Error("the refund of an earlier slot moved a later grant")
		}
		p.Refund(t.Context(), op, second)
		if next() != second.at {
			t.Error("the last slot was not refunded")
		}
	})
}

func TestNothingIsGrantedWithoutRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	s := acquire(t, p, op, background)
	_ = rdb.Close()
	if s, err := p.Acquire(t.Context(), op, background); err == nil || s.Decision == Granted {
		t.Errorf("granted without Redis: %+v, %v", s, err)
	}
	if _, err := p.Blocked(t.Context(), op, s); err == nil {
		t.Error("a slot counts as usable without Redis")
	}
	if _, err := p.States(t.Context(), op); err == nil {
		t.Error("budgets were read without Redis")
	}
	if err := p.SetIntervals(t.Context(), clinic, map[string]time.Duration{"GetPatient": time.Second}); err == nil {
		t.Error("intervals were stored without Redis")
	}
	p.Refund(t.Context(), op, s) // neither returns an error nor panics
	p.Throttled(t.Context(), op, s, 0)
	p.Block(t.Context(), op, time.Minute)
}
