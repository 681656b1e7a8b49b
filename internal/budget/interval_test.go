package budget

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestThrottleResponseAdjustsBudget(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		field := func(name string) time.Duration {
			n, _ := rdb.HGet(t.Context(), op.key(), name).Int64()
			return micros(n)
		}
		now := func() int64 { return rdb.Time(t.Context()).Val().UnixMicro() }
		learn := func(what string, s Slot, named, wantInterval, wantMargin time.Duration) {
			t.Helper()
			p.Throttled(t.Context(), op, s, named)
			if got := micros(field("blocked").Microseconds() - now()); got > wantInterval+wantMargin || got < wantInterval {
				t.Errorf("%s: blocked for %v, want one spacing", what, got)
			}
			if i, m := field("interval"), field("margin"); i != 0 && i != wantInterval || m != wantMargin {
				t.Errorf("%s: interval %v, margin %v; want %v, %v", what, i, m, wantInterval, wantMargin)
			}
		}
		first := Slot{sent: now(), margin: 40_000}
		learn("no interval named", first, 0, interval, 80*time.Millisecond)
		learn("a call from before the adjustment", first, 0, interval, 80*time.Millisecond)
		learn("a shorter interval named; the margin ends at one interval", Slot{sent: now() + 1, margin: 80_000}, 50*time.Millisecond, interval, interval)
		learn("a longer one named", Slot{sent: now() + 1}, 1500*time.Millisecond, 1500*time.Millisecond, 150*time.Millisecond)
		p.Throttled(t.Context(), op, Slot{sent: now() + 1}, time.Hour)
		if got := field("interval"); got != maxInterval {
			t.Errorf("accepted an interval of %v", got)
		}
	})
}

// A longer interval begins with a margin that the vendor has not refused today.
func TestMarginOfALongerInterval(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		now := rdb.Time(t.Context()).Val().UnixMicro()
		rdb.HSet(t.Context(), op.key(), "refused", 80_000, "refused_at", now)
		p.Throttled(t.Context(), op, Slot{sent: now}, 2*interval)
		b := rdb.HMGet(t.Context(), op.key(), "margin", "blocked").Val()
		if margin, blocked := fmt.Sprint(b[0]), fmt.Sprint(b[1]); margin != "100000" || blocked < strconv.FormatInt(now+300_000, 10) {
			t.Errorf("the margin is %s µs, and the block ends at %s; want 100 ms, and 300 ms after %d", margin, blocked, now)
		}
	})
}

// A slot that was reserved before a throttle response must not be used after it.
func TestThrottleAnswerBlocksReservedSlots(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		first, second := acquire(t, p, op, background), acquire(t, p, op, background)
		sendNow(t, p, op, &first)
		p.Throttled(t.Context(), op, first, time.Second)
		waitUntil(t, second.Begin())
		if send(t, p, op, &second); second.Decision != Blocked || second.Wait < 900*time.Millisecond || p.Confirm(t.Context(), op, &second) {
			t.Errorf("after the throttle response: %+v", second)
		}
	})
}

func TestLearnedMarginFades(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, op := newPace(t, rdb), getPatient(interval)
	for _, tc := range []struct{ age, want time.Duration }{
		{0, 140 * time.Millisecond},
		{12 * time.Hour, 90 * time.Millisecond},
		{24 * time.Hour, 40 * time.Millisecond},
		{-time.Hour, 140 * time.Millisecond}, // the server's clock was set back
	} {
		at := rdb.Time(t.Context()).Val().Add(-tc.age)
		rdb.HSet(t.Context(), op.key(), "margin", (140 * time.Millisecond).Microseconds(), "learned", at.UnixMicro())
		one, two := acquire(t, p, op, background), acquire(t, p, op, background)
		if got := micros(two.at-one.at) - interval; (got - tc.want).Abs() > time.Millisecond {
			t.Errorf("after %v the margin is %v, want %v", tc.age, got, tc.want)
		}
		states, err := p.States(t.Context(), op)
		if err != nil || len(states) != 1 || (states[0].Spacing-interval-tc.want).Abs() > time.Millisecond {
			t.Errorf("after %v the state is %+v, %v; want a margin of %v", tc.age, states, err, tc.want)
		}
	}
}

// calls makes calls one after another, each as early as it may be sent.
func calls(t *testing.T, p *Pace, op Operation, n int) (last Slot) {
	t.Helper()
	for range n {
		last = acquire(t, p, op, background)
		sendNow(t, p, op, &last)
	}
	return last
}

// The margin shrinks while calls succeed. One that was too small is not tried again for a day.
func TestMarginIsLearned(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb, func(o *Options) { o.MinMargin = time.Millisecond }), getPatient(interval)
		// expect makes a call after others and checks the margin of the next one. A call that a
		// busy machine makes late is made again: it raises the margin.
		expect := func(clean int64, margin, want time.Duration) (s Slot) {
			t.Helper()
			var got time.Duration
			for range 20 {
				rdb.HSet(t.Context(), op.key(), "clean", clean, "margin", margin.Microseconds())
				if states, err := p.States(t.Context(), op); clean > 0 && (err != nil || states[0].Margin != margin) {
					t.Errorf("the state is %+v, %v; want a margin of %v", states, err, margin)
				}
				s = calls(t, p, op, 1)
				if got = micros(s.window.Microseconds() * 2); got == want {
					return s
				}
			}
			t.Errorf("after %d calls with %v, the next margin is %v, want %v", clean, margin, got, want)
			return s
		}
		const ms = time.Millisecond
		expect(0, 10*ms, 10*ms)
		expect(10, 10*ms, 6*ms)
		expect(15, 6*ms, 6*ms)
		expect(20, 6*ms, 4*ms)
		s := expect(1000, 4*ms, 4*ms) // the least
		s.margin = 4000
		rdb.HSet(t.Context(), op.key(), "margin", 4000)
		p.Throttled(t.Context(), op, s, 0)
		rdb.HSet(t.Context(), op.key(), "blocked", 0)
		expect(50, 6*ms, 6*ms)
		expect(100, 6*ms, 5*ms) // a quarter more than what was too small
		expect(1000, 5*ms, 5*ms)
		rdb.HSet(t.Context(), op.key(), "refused_at", 1)
		expect(100, 5*ms, 4*ms)
		rdb.HSet(t.Context(), op.key(), "margin", 4000)
		late := acquire(t, p, op, background)
		waitUntil(t, late.Begin().Add(-Early))
		send(t, p, op, &late)
		waitUntil(t, late.Begin().Add(20*time.Millisecond)) // the host is busy
		p.Confirm(t.Context(), op, &late)                   // which a machine that is really busy may still refuse
		if got, _ := rdb.HGet(t.Context(), op.key(), "margin").Int64(); got < 6000 {
			t.Errorf("after a call that was 20 ms late, the margin is %d", got)
		}
	})
}

// An interval before a longer one was named is tried again: soon if it has never held, else much
// later, and later each time that the vendor refuses it.
func TestFormerIntervalIsTried(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb, func(o *Options) { o.MinMargin = time.Millisecond }), getPatient(50*time.Millisecond)
		field := func(name string) int64 {
			n, _ := rdb.HGet(t.Context(), op.key(), name).Int64()
			return n
		}
		throttled := func(s Slot, named time.Duration) {
			p.Throttled(t.Context(), op, s, named)
			rdb.HSet(t.Context(), op.key(), "blocked", 0)
		}
		expect := func(what string, interval time.Duration, need int64) {
			t.Helper()
			if micros(field("interval")) != interval || field("need") != need {
				t.Errorf("%s: interval %v, tried again after %d calls; want %v, %d", what, micros(field("interval")), field("need"), interval, need)
			}
		}
		throttled(calls(t, p, op, 1), 100*time.Millisecond)
		expect("a longer interval", 100*time.Millisecond, 30)
		rdb.HSet(t.Context(), op.key(), "run", 30, "margin", 7000)
		calls(t, p, op, 1)
		expect("the former is tried", 50*time.Millisecond, 30)
		throttled(calls(t, p, op, 1), 100*time.Millisecond)
		expect("it does not hold", 100*time.Millisecond, 240)
		if got := field("margin"); got != 7000 {
			t.Errorf("the longer interval's margin is %d, want the one before", got)
		}
		rdb.HSet(t.Context(), op.key(), "run", 240)
		calls(t, p, op, 1)
		rdb.HSet(t.Context(), op.key(), "run", 20)
		last := calls(t, p, op, 1)
		expect("it holds", 50*time.Millisecond, 0)
		rdb.HSet(t.Context(), op.key(), "run", 8)
		throttled(last, 200*time.Millisecond)
		expect("an interval that has held is changed", 200*time.Millisecond, 2000)
	})
}

func TestSetIntervals(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(2*time.Millisecond)
		for _, bad := range []time.Duration{0, -time.Second, time.Microsecond, time.Hour} {
			if err := p.SetIntervals(t.Context(), clinic, map[string]time.Duration{op.Name: interval, "GetProviders": bad}); err == nil {
				t.Errorf("%v accepted", bad)
			}
		}
		if n := rdb.Exists(t.Context(), op.key()).Val(); n != 0 {
			t.Error("a part of a refused set was stored")
		}
		if err := p.SetIntervals(t.Context(), clinic, map[string]time.Duration{op.Name: interval}); err != nil {
			t.Fatal(err)
		}
		one, two := acquire(t, p, op, background), acquire(t, p, op, background)
		if gap := micros(two.at - one.at); gap != 140*time.Millisecond {
			t.Errorf("slots %v apart, want 140ms", gap)
		}
	})
}

// The vendor may ask not to be called for a while. A shorter wish does not shorten a longer one,
// and other operations go on.
func TestBlock(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p := newPace(t, rdb)
		op := getPatient(interval)
		slot := acquire(t, p, op, interactive)
		p.Block(t.Context(), op, 20*time.Second)
		p.Block(t.Context(), op, time.Second)
		p.Block(t.Context(), op, -time.Hour)
		if s := acquire(t, p, op, interactive); s.Decision != Blocked || s.Wait < 15*time.Second || s.Wait > 21*time.Second {
			t.Errorf("%+v", s)
		}
		if send(t, p, op, &slot); slot.Decision != Blocked {
			t.Errorf("a slot reserved before counts as usable: %+v", slot)
		}
		other := op
		other.Name = "GetAppointments"
		if s := acquire(t, p, other, interactive); s.Decision != Granted {
			t.Errorf("another operation: %+v", s)
		}
		long := op
		long.Name = "GetPatients"
		acquire(t, p, long, interactive)
		p.Block(t.Context(), long, 1000*time.Hour)
		all, err := p.States(t.Context(), long)
		if err != nil || len(all) != 1 || all[0].Blocked > time.Hour || all[0].Blocked < time.Minute {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
