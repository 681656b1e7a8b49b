package budget

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestSlotsAreSpaced(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		first := acquire(t, p, op, background)
		// A missing key may have been lost a moment after a call: even the first call waits.
		if first.Decision != Granted || first.Wait < 140*time.Millisecond || first.Wait > 160*time.Millisecond {
			t.Fatalf("first slot: %+v", first)
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
		if s := acquire(t, p, other, background); s.Wait > 160*time.Millisecond {
			t.Errorf("another operation's first slot: %+v", s)
		}
		if ttl := rdb.PTTL(t.Context(), op.key()).Val(); ttl < time.Hour {
			t.Errorf("the budget expires after %v", ttl)
		}
	})
}

// An interactive caller goes before the background that waits, which is sent one slot later.
func TestInteractiveGoesFirst(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p := newPace(t, rdb)
		punctually(t, func(op Operation) error { return goFirst(t, p, op) }, getPatient(interval))
	})
}

// punctually runs a test that is about moments with an idle budget, and again if it fails: a busy
// machine may miss them.
func punctually(t *testing.T, test func(Operation) error, op Operation) {
	t.Helper()
	var err error
	for i := range 10 {
		again := op
		again.Name += strings.Repeat("x", i)
		if err = test(again); err == nil {
			return
		}
	}
	t.Error(err)
}

func goFirst(t *testing.T, p *Pace, op Operation) error {
	t.Helper()
	first, second := acquire(t, p, op, background), acquire(t, p, op, background)
	person := acquire(t, p, op, interactive)
	if person.Decision != Granted || person.at > first.at {
		return fmt.Errorf("with the background's next slot at %d, a person's is at %d", first.at, person.at)
	}
	waitUntil(t, first.Begin().Add(-Early))
	send(t, p, op, &first)
	if first.Decision != Paced || first.at != person.at+micros140 {
		return fmt.Errorf("the background gets %+v, want the slot after %d", first, person.at)
	}
	sendNow(t, p, op, &person)
	waitUntil(t, second.Begin().Add(-Early))
	send(t, p, op, &second)
	if second.Decision != Paced || micros(second.at-first.at) < 140*time.Millisecond {
		return fmt.Errorf("the next background caller gets %+v behind %d", second, first.at)
	}
	sendNow(t, p, op, &first)
	if gap := micros(first.sent - person.sent); gap < 140*time.Millisecond || gap > 250*time.Millisecond {
		return fmt.Errorf("the background is sent %v after the person", gap)
	}
	return nil
}

// After three people in a row, the background has a slot if it waits.
func TestBackgroundKeepsAShareBesideInteractive(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		for range 6 {
			acquire(t, p, op, background)
		}
		last := acquire(t, p, op, interactive)
		for i, want := range []int64{140_000, 140_000, 280_000, 140_000} {
			s := acquire(t, p, op, interactive)
			if gap := s.at - last.at; gap != want {
				t.Errorf("slot %d of a person is %d µs after the last, want %d", i+2, gap, want)
			}
			last = s
		}
	})
}

// A caller that may wait for one slot only does not wait behind another that waits.
func TestAheadLimitsTheWait(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		one := Demand{Ahead: 1, Slowdown: 1}
		sent := acquire(t, p, op, background)
		sendNow(t, p, op, &sent)
		if s := acquire(t, p, op, one); s.Decision != Granted {
			t.Errorf("the next slot: %+v", s)
		}
		if s := acquire(t, p, op, one); s.Decision != Paced || s.Wait < 150*time.Millisecond {
			t.Errorf("the slot after the next: %+v", s)
		}
		if s := acquire(t, p, op, background); s.Decision != Granted {
			t.Errorf("without the limit: %+v", s)
		}
	})
}

// People alone get every slot, and no more wait ahead of the background than a number.
func TestInteractiveCallersAreBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb, func(o *Options) { o.MinMargin, o.MaxWait = time.Millisecond, time.Minute }), getPatient(time.Second)
	last := acquire(t, p, op, interactive)
	for i := range 40 {
		s := acquire(t, p, op, interactive)
		if s.Decision != Granted || s.at-last.at != 1_100_000 {
			t.Fatalf("slot %d: %+v, %d after the last", i, s, s.at-last.at)
		}
		last = s
	}
	if got := strings.Count(rdb.HGet(t.Context(), op.key(), "ahead").Val(), ","); got != 15 {
		t.Errorf("%d slots are stored, want 16", got+1)
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
			t.Error("the refund of an earlier slot moved a later one")
		}
		p.Refund(t.Context(), op, second)
		if next() != second.at {
			t.Error("the last slot was not refunded")
		}
		person := acquire(t, p, op, interactive)
		p.Refund(t.Context(), op, person)
		if ahead := rdb.HGet(t.Context(), op.key(), "ahead").Val(); ahead != "" {
			t.Errorf("a person's slot is still there: %s", ahead)
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
	if err := p.Send(t.Context(), op, &s); err == nil || s.Decision == Granted || p.Confirm(t.Context(), op, &s) {
		t.Errorf("a slot counts as usable without Redis: %v", err)
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
