package budget

import (
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
			rdb.HSet(t.Context(), op.key(), "next", 1) // only the adjustment delays the next slot
			next := acquire(t, p, op, background)
			if next.Decision != Blocked && next.Decision != Granted {
				t.Fatalf("%s: %+v", what, next)
			}
			i, m := field("interval"), field("margin")
			if next.Wait > i+m+time.Millisecond || next.Wait == 0 {
				t.Errorf("%s: blocked for %v, want one spacing of %v", what, next.Wait, i+m)
			}
			if i != wantInterval || (m-wantMargin).Abs() > time.Millisecond { // a margin fades by the microsecond
				t.Errorf("%s: interval %v, margin %v; want %v, %v", what, i, m, wantInterval, wantMargin)
			}
		}
		first := acquire(t, p, op, background)
		first.at = now()
		learn("no interval named", first, 0, interval, 80*time.Millisecond)
		learn("a call from before the adjustment", first, 0, interval, 80*time.Millisecond)
		learn("a shorter interval named; the margin ends at one interval", Slot{at: now() + 1}, 50*time.Millisecond, interval, interval)
		learn("a longer one named", Slot{at: now() + 1}, 250*time.Millisecond, 250*time.Millisecond, interval)
		p.Throttled(t.Context(), op, Slot{at: now() + 1}, time.Hour)
		if got := field("interval"); got != maxInterval {
			t.Errorf("accepted an interval of %v", got)
		}
	})
}

// A slot that was granted before a throttle response must not be used after it.
func TestThrottleAnswerBlocksGrantedSlots(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		p, op := newPace(t, rdb), getPatient(interval)
		first, second := acquire(t, p, op, background), acquire(t, p, op, background)
		if blocked, err := p.Blocked(t.Context(), op, second); blocked || err != nil {
			t.Fatalf("blocked before the throttle response: %v, %v", blocked, err)
		}
		p.Throttled(t.Context(), op, first, time.Second)
		if blocked, err := p.Blocked(t.Context(), op, second); !blocked || err != nil {
			t.Errorf("not blocked after the throttle response: %v, %v", blocked, err)
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
		rdb.HSet(t.Context(), op.key(), "margin", (140 * time.Millisecond).Microseconds(), "learned", at.UnixMicro(), "next", 1)
		if s := acquire(t, p, op, background); (2*s.window - tc.want).Abs() > time.Millisecond {
			t.Errorf("after %v the margin is %v, want %v", tc.age, 2*s.window, tc.want)
		}
		states, err := p.States(t.Context(), op)
		if err != nil || len(states) != 1 || (states[0].Spacing-interval-tc.want).Abs() > time.Millisecond {
			t.Errorf("after %v the state is %+v, %v; want a margin of %v", tc.age, states, err, tc.want)
		}
	}
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
		if blocked, err := p.Blocked(t.Context(), op, slot); err != nil || !blocked {
			t.Errorf("a slot granted before counts as usable: %t, %v", blocked, err)
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
