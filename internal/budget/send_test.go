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

// Whatever several processes do at the same time, no two calls that were sent are closer than the
// interval and the least margin.
func TestCallsKeepTheirSpacing(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(time.Duration(rapid.Int64Range(1, 5_000).Draw(rt, "interval")) * time.Microsecond)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.key())
		margin := time.Duration(rapid.Int64Range(1, 5_000).Draw(rt, "margin")) * time.Microsecond
		var mu sync.Mutex
		var sent []int64
		var wg sync.WaitGroup
		for range rapid.IntRange(1, 4).Draw(rt, "processes") {
			p := newPace(t, rdb, func(o *Options) { o.MinMargin = margin })
			steps := rapid.SliceOfN(rapid.IntRange(0, 13), 1, 12).Draw(rt, "steps")
			wg.Go(func() {
				for _, step := range steps {
					at, err := play(t, p, op, step)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					sent = append(sent, at...)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		slices.Sort(sent)
		for i := 1; i < len(sent); i++ {
			if gap := micros(sent[i] - sent[i-1]); gap < op.Interval+margin {
				rt.Fatalf("calls %v apart, interval %v, margin %v", gap, op.Interval, margin)
			}
		}
	})
}

// play makes one call and returns when it was sent by Redis' clock. Some calls are late, give their
// slot back before or after they may be sent, are throttled, or lose the budget's key.
func play(t *testing.T, p *Pace, op Operation, step int) (sent []int64, err error) {
	s, err := p.Acquire(t.Context(), op, Demand{Interactive: step%2 == 0, Limit: p.o.MaxWait, Slowdown: 1 + step%4})
	if err != nil || s.Decision != Granted || step == 9 {
		p.Refund(t.Context(), op, s)
		return nil, err
	}
	for s.sent == 0 || s.Decision != Granted {
		waitUntil(t, s.Begin().Add(-Early))
		if err := p.Send(t.Context(), op, &s); err != nil {
			return nil, err
		}
	}
	waitUntil(t, s.Begin())
	switch step {
	case 10, 11:
		waitUntil(t, time.Now().Add(time.Duration(step)*time.Millisecond))
	case 12:
		p.Refund(t.Context(), op, s)
		return nil, nil
	}
	if !p.Confirm(t.Context(), op, &s) {
		p.Refund(t.Context(), op, s)
		return nil, nil
	}
	switch step {
	case 8: // a throttle response at a known interval
		p.Throttled(t.Context(), op, s, 0)
	case 13:
		p.o.Redis.Del(t.Context(), op.key())
	}
	return []int64{s.sent}, nil
}

// A call that is sent late moves the calls behind it, and nothing is sent twice at one time.
func TestLateCalls(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		first, second, third := acquire(t, p, op, background), acquire(t, p, op, background), acquire(t, p, op, background)
		waitUntil(t, first.Begin().Add(-Early))
		send(t, p, op, &first)
		waitUntil(t, first.Begin().Add(50*time.Millisecond))
		granted := first.sent
		if !p.Confirm(t.Context(), op, &first) || first.sent < granted+50_000 {
			t.Fatalf("late by 50 ms, the call is sent at %d, granted at %d", first.sent, granted)
		}
		// Redis or this process may be late itself, and then moves the others further.
		for _, s := range []*Slot{&second, &third} {
			waitUntil(t, s.Begin().Add(-Early))
			send(t, p, op, s)
			if s.Decision != Paced || s.at < second.at {
				t.Fatalf("before its turn, a caller behind the late call gets %+v", s)
			}
		}
		if second.at < first.sent+micros140 || third.at < second.at+micros140 {
			t.Errorf("late call at %d, the next at %d and %d", first.sent, second.at, third.at)
		}
		sendNow(t, p, op, &second)
		late := second
		sendNow(t, p, op, &third)
		late.asked = late.asked.Add(-time.Second)
		if p.Confirm(t.Context(), op, &late) {
			t.Error("a late call is sent although another one has been sent since")
		}
	})
}

// A refunded permission is the next caller's.
func TestRefundedPermission(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	first := acquire(t, p, op, background)
	sendNow(t, p, op, &first)
	p.Refund(t.Context(), op, first)
	second := acquire(t, p, op, background)
	if second.Wait > 20*time.Millisecond {
		t.Errorf("after a call that was not sent, the next waits %v", second.Wait)
	}
}

// The keys may be lost, and another server may have an old copy: the next call waits for a whole
// spacing.
func TestLostKeysAndFailover(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for name, lose := range map[string]func(key string){
		"lost": func(key string) { rdb.Del(t.Context(), key) },
		"an old copy": func(key string) {
			rdb.HSet(t.Context(), key, "server", "another", "sent", 1, "next", 1, "line", 1, "shift", 0)
		},
	} {
		p := newPace(t, rdb)
		op := getPatient(interval)
		op.Name = name
		first, second := acquire(t, p, op, background), acquire(t, p, op, background)
		sendNow(t, p, op, &first)
		lose(op.key())
		lost := rdb.Time(t.Context()).Val().UnixMicro()
		other := newPace(t, rdb)
		sendNow(t, other, op, &second)
		third := acquire(t, other, op, interactive)
		sendNow(t, other, op, &third)
		if second.sent < lost+micros140 || third.sent < second.sent+micros140 {
			t.Errorf("%s at %d: sent at %d, then at %d and %d", name, lost, first.sent, second.sent, third.sent)
		}
		if waited := micros(third.sent - second.sent); waited > 2*time.Second {
			t.Errorf("%s: the caution does not end: %v", name, waited)
		}
	}
}

// A worker of the previous release reserves slots in "next" alone, and does not say when it sends.
func TestEarlierRelease(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	first, second := acquire(t, p, op, background), acquire(t, p, op, background)
	sendNow(t, p, op, &first)
	theirs := second.next + 200_000
	rdb.HSet(t.Context(), op.key(), "next", theirs)
	person := acquire(t, p, op, interactive)
	sendNow(t, p, op, &second)
	sendNow(t, p, op, &person)
	if second.sent < theirs || person.sent < theirs {
		t.Errorf("the other's slot ends at %d; sent at %d and %d", theirs, second.sent, person.sent)
	}
}

// After the server's clock is set back, all times move with it: the account goes on, and nothing is
// sent early.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	first := acquire(t, p, op, background)
	sendNow(t, p, op, &first)
	ahead := (24 * time.Hour).Microseconds()
	for _, name := range []string{"next", "line", "sent", "seen", "learned"} {
		rdb.HIncrBy(t.Context(), op.key(), name, ahead)
	}
	before := rdb.Time(t.Context()).Val().UnixMicro()
	second := acquire(t, p, op, background)
	if second.Decision != Granted || second.Wait < 50*time.Millisecond || second.Wait > 150*time.Millisecond {
		t.Fatalf("slot %+v", second)
	}
	sendNow(t, p, op, &second)
	if gap := micros(second.sent - before); gap < 50*time.Millisecond || gap > time.Second {
		t.Errorf("sent %v after the clock was set back", gap)
	}
	// Without the time of the last script, the bounds remain.
	rdb.HSet(t.Context(), op.key(), "seen", 0, "next", ahead*365*100, "sent", ahead*365*100, "blocked", ahead*365*100)
	if s := acquire(t, p, op, interactive); s.Wait > time.Hour+time.Minute {
		t.Errorf("slot %+v", s)
	}
}

// After the server's clock jumps forward, a process sends nothing too early by its own clock, for
// each of its operations.
func TestClockJumpsForward(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p := newPace(t, rdb)
	for _, name := range []string{"GetPatient", "GetProviders"} {
		op := getPatient(300 * time.Millisecond)
		op.Name = name
		first := acquire(t, p, op, background)
		sendNow(t, p, op, &first)
		began := time.Now()
		second := acquire(t, p, op, background)
		jump := -time.Hour.Microseconds()
		for _, field := range []string{"next", "line", "sent", "seen"} {
			rdb.HIncrBy(t.Context(), op.key(), field, jump)
		}
		second.at += jump
		second.asked, second.replied = second.asked.Add(-time.Hour), second.replied.Add(-time.Hour)
		send(t, p, op, &second)
		if second.Decision == Granted {
			t.Fatalf("%s: granted %v after the last call", name, time.Since(began))
		}
		sendNow(t, p, op, &second)
		if gap := time.Since(began); gap < 300*time.Millisecond {
			t.Errorf("%s: sent %v after the last call", name, gap)
		}
	}
}

// A process remembers its last calls for no longer than they matter.
func TestLastSentIsBounded(t *testing.T) {
	t.Parallel()
	var l lastSent
	op := getPatient(interval)
	l.now(op)
	for i := range 10_000 {
		other := op
		other.Name += string(rune('A'+i%26)) + string(rune('A'+i/26%26)) + string(rune('A'+i/676))
		l.now(other)
		l.at[other.key()] = time.Now().Add(-time.Hour)
	}
	if len(l.at) > 2048 {
		t.Errorf("%d calls are remembered", len(l.at))
	}
	if at := l.until(op, time.Minute); time.Until(at) < 50*time.Second {
		t.Errorf("the newest call was forgotten: %v", at)
	}
}

// The end of the slots is bounded. That of a long interval, slowed down after an outage, is not
// taken for that of a worker of an earlier release, which would stop the calls for minutes.
func TestBoundedEndOfSlots(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(maxInterval)
		acquire(t, p, op, background) // the server is known then
		rdb.HSet(t.Context(), op.key(), "sent", rdb.Time(t.Context()).Val().Add(-time.Hour).UnixMicro())
		s, err := p.Acquire(t.Context(), op, Demand{Limit: time.Second, Slowdown: 3})
		if err != nil || s.Decision != Granted {
			t.Fatalf("%+v, %v", s, err)
		}
		if send(t, p, op, &s); s.Decision != Granted {
			t.Errorf("the call waits for %v", s.Wait)
		}
	})
}
