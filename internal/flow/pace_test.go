package flow

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// take asks the pace alone, without waiting.
func take(t testing.TB, f *Flow, c tebra.Call) slot {
	t.Helper()
	s, err := f.pace.take(t.Context(), paceKey(clinic, c.Operation), c, f.options.MaxWait, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const interval = 100 * time.Millisecond // with the tests' margin of 40 ms, slots are 140 ms apart

func TestSlotsAreSpaced(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := slowly(getPatient(), interval)
		first := take(t, f, c)
		// A key that is not there may have been lost a moment after a call: even the first grant waits.
		if first.verdict != granted || first.wait < 90*time.Millisecond || first.wait > interval {
			t.Fatalf("first slot: %+v", first)
		}
		if first.window != 20*time.Millisecond {
			t.Errorf("good for %v, want half the margin", first.window)
		}
		last := first
		for range 5 {
			s := take(t, f, c)
			if s.verdict != granted || micros(s.at-last.at) != 140*time.Millisecond {
				t.Fatalf("after %+v: %+v", last, s)
			}
			last = s
		}
		other := c
		other.Operation = "GetProviders"
		if s := take(t, f, other); s.wait > interval {
			t.Errorf("another operation's first slot: %+v", s)
		}
		if ttl := rdb.PTTL(t.Context(), paceKey(clinic, c.Operation)).Val(); ttl < time.Hour {
			t.Errorf("the budget is forgotten after %v", ttl)
		}
	})
}

// Whatever happens at the same time in several processes, no two grants that were kept are closer than the interval.
func TestGrantsNeverMeet(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := slowly(getPatient(), time.Duration(rapid.Int64Range(1, 50_000).Draw(rt, "interval"))*time.Microsecond)
		c.Operation = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		key := paceKey(clinic, c.Operation)
		rdb.Del(t.Context(), key)
		var mu sync.Mutex
		var kept []int64
		var wg sync.WaitGroup
		for range rapid.IntRange(1, 4).Draw(rt, "processes") {
			f := newFlow(t, rdb, func(o *Options) {
				o.MinMargin = time.Duration(rapid.Int64Range(1, 10_000).Draw(rt, "margin")) * time.Microsecond
			})
			steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 12).Draw(rt, "steps")
			wg.Go(func() {
				for _, step := range steps {
					c := c
					c.Interactive = step%2 == 0
					s, err := f.pace.take(t.Context(), key, c, f.options.MaxWait, 1+step%4)
					if err != nil {
						t.Error(err)
						return
					}
					switch {
					case s.verdict != granted:
					case step == 9: // gives back, which may fail; then the slot is merely lost
						f.pace.giveBack(t.Context(), key, s)
					case step == 8: // a throttle answer at a known interval
						f.pace.throttled(t.Context(), key, c, s, 0)
						fallthrough
					default:
						mu.Lock()
						kept = append(kept, s.at)
						mu.Unlock()
					}
				}
			})
		}
		wg.Wait()
		slices.Sort(kept)
		for i := 1; i < len(kept); i++ {
			if gap := micros(kept[i] - kept[i-1]); gap < c.Interval {
				rt.Fatalf("grants %v apart, interval %v", gap, c.Interval)
			}
		}
	})
}

// vendor is as strict as the real one: it refuses a call that arrives sooner than its interval after the last accepted.
type vendor struct {
	mu       sync.Mutex
	interval time.Duration
	last     time.Time
	accepted int
	refused  int
}

func (v *vendor) call() tebra.Outcome {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	if now.Sub(v.last) < v.interval {
		v.refused++
		return tebra.Outcome{Code: tebra.Throttled}
	}
	v.last = now
	v.accepted++
	return tebra.Outcome{Latency: time.Millisecond}
}

// work drains calls from todo as a worker would: who is refused comes back when told.
func (v *vendor) work(t *testing.T, f *Flow, c tebra.Call, todo chan struct{}) {
	for range todo {
		for sent := false; !sent; {
			p, err := f.Enter(t.Context(), c)
			var r *Refused
			switch {
			case errors.As(err, &r):
				at, _ := r.NotBefore()
				until(t, at)
			case err != nil:
				t.Error(err)
				return
			case time.Now().After(p.SendBy()):
				p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
			default:
				p.Done(t.Context(), v.call())
				sent = true
			}
		}
	}
}

// Two processes drain a backlog against a strict vendor: nothing is refused, and little of the time is wasted.
func TestDrain(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		const calls = 10
		v := &vendor{interval: interval}
		todo := make(chan struct{}, calls)
		for range calls {
			todo <- struct{}{}
		}
		close(todo)
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 2 {
			f := newFlow(t, rdb, func(o *Options) {
				o.MinMargin, o.MaxWait, o.InteractiveMemory = 60*time.Millisecond, 600*time.Millisecond, 300*time.Millisecond
			})
			for j := range 3 {
				c := slowly(getPatient(), interval)
				c.Interactive = i == 0 && j == 0
				wg.Go(func() { v.work(t, f, c, todo) })
			}
		}
		wg.Wait()
		if v.accepted != calls || v.refused != 0 {
			t.Errorf("%d calls accepted, %d refused", v.accepted, v.refused)
		}
		if took, ideal := time.Since(began), calls*160*time.Millisecond; took > 3*ideal {
			t.Errorf("took %v, %v would do", took, ideal)
		}
	})
}

// Each refused background caller is given the next place, so they return one by one.
func TestRefusalsAreBooked(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) { o.MaxWait, o.Horizon = 300*time.Millisecond, 2*time.Second })
		c := slowly(getPatient(), interval)
		var last slot
		for s := take(t, f, c); s.verdict == granted; s = take(t, f, c) {
			last = s
		}
		began, full := time.Now(), 0
		var booked []time.Duration
		for tries := 0; full < 3 && tries < 100; tries++ {
			s := take(t, f, c)
			if s.verdict == granted {
				continue // time went by
			}
			if s.verdict == calendarFull {
				if full++; s.wait != 2*time.Second {
					t.Errorf("a full calendar says %v", s.wait)
				}
				continue
			}
			booked = append(booked, s.wait+time.Since(began))
		}
		if len(booked) < 10 || full == 0 {
			t.Fatalf("%d booked, %d beyond the horizon", len(booked), full)
		}
		for i := 1; i < len(booked); i++ {
			if gap := booked[i] - booked[i-1]; gap < 100*time.Millisecond || gap > 300*time.Millisecond {
				t.Errorf("bookings %d and %d are %v apart, want 140ms", i-1, i, gap)
			}
		}
		// Interactive callers are told the next slot itself.
		s, err := f.pace.take(t.Context(), paceKey(clinic, c.Operation), interactive(c), 0, 1)
		if err != nil || s.verdict != refusedByPace || s.wait > micros(last.next-last.at)+300*time.Millisecond {
			t.Errorf("interactive: %+v, %v", s, err)
		}
	})
}

// Bookings whose owners never came are given up once slots go by unused.
func TestUnusedBookingsFade(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	c := slowly(getPatient(), interval)
	take(t, f, c)
	key := paceKey(clinic, c.Operation)
	now := rdb.Time(t.Context()).Val()
	rdb.HSet(t.Context(), key, "next", now.Add(-time.Minute).UnixMicro(), "booked", now.Add(10*time.Minute).UnixMicro())
	take(t, f, c)
	booked, err := rdb.HGet(t.Context(), key, "booked").Int64()
	if err != nil {
		t.Fatal(err)
	}
	if left := time.UnixMicro(booked).Sub(now); left < 8*time.Minute+50*time.Second || left > 9*time.Minute+time.Second {
		t.Errorf("booked %v ahead after a minute's idleness, want 9m", left)
	}
}

// The background never fills the time in which interactive callers wait, and holds back while they ask.
func TestInteractiveShare(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := slowly(getPatient(), interval)
		grants := 0
		for take(t, f, c).verdict == granted {
			grants++
		}
		if grants < 10 {
			t.Errorf("alone, the background was granted %d slots ahead, want all but one of 14", grants)
		}
		s := take(t, f, interactive(c))
		if s.verdict != granted {
			t.Fatalf("behind a full background, interactive gets %+v", s)
		}
		if s := take(t, f, c); s.verdict == granted {
			t.Errorf("the background queues %v ahead while people ask", s.wait)
		}
	})
}

// Under constant demand of both, the background gets at most two slots in three.
func TestBackgroundHoldsBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	c := slowly(getPatient(), time.Second)
	key := paceKey(clinic, c.Operation)
	take(t, f, interactive(c))
	for range 3 {
		// The moment at which the last slot has just passed, with nobody waiting.
		now := rdb.Time(t.Context()).Val()
		rdb.HSet(t.Context(), key, "next", now.UnixMicro(), "back", now.Add(-1200*time.Millisecond).UnixMicro())
		if s := take(t, f, c); s.verdict != granted || s.wait < 300*time.Millisecond || s.wait > 600*time.Millisecond {
			t.Errorf("one slot after its last, the background gets %+v, want half a slot's wait", s)
		}
	}
	rdb.HSet(t.Context(), key, "asked", 1, "next", 1)
	if s := take(t, f, c); s.verdict != granted || s.wait != 0 {
		t.Errorf("without demand the share is not lent: %+v", s)
	}
}

func TestThrottleTeaches(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := slowly(getPatient(), interval)
		key := paceKey(clinic, c.Operation)
		learn := func(s slot, named time.Duration) (interval, margin time.Duration) {
			t.Helper()
			f.pace.throttled(t.Context(), key, c, s, named)
			rdb.HSet(t.Context(), key, "next", 1) // so that only what was learnt holds the next one up
			next := take(t, f, c)
			if next.verdict != refusedByBlock && next.verdict != granted {
				t.Fatalf("after a throttle: %+v", next)
			}
			m, _ := rdb.HGet(t.Context(), key, "margin").Int64()
			i, _ := rdb.HGet(t.Context(), key, "interval").Int64()
			if next.wait > micros(i+m)+time.Millisecond || next.wait == 0 {
				t.Errorf("rests for %v, want one spacing of %v", next.wait, micros(i+m))
			}
			return micros(i), micros(m)
		}
		check := func(what string, i, m, wantI, wantM time.Duration) {
			t.Helper()
			if i != wantI || (m-wantM).Abs() > time.Millisecond { // a margin fades by the microsecond
				t.Errorf("%s: interval %v, margin %v; want %v, %v", what, i, m, wantI, wantM)
			}
		}
		first := take(t, f, c)
		first.at = rdb.Time(t.Context()).Val().UnixMicro()
		i, m := learn(first, 0)
		check("no interval named", i, m, interval, 80*time.Millisecond)
		i, m = learn(first, 0)
		check("a call from before the lesson", i, m, interval, 80*time.Millisecond)
		after := slot{at: rdb.Time(t.Context()).Val().UnixMicro() + 1}
		i, m = learn(after, 50*time.Millisecond)
		check("a shorter interval named; the margin ends at one interval", i, m, interval, interval)
		after.at = rdb.Time(t.Context()).Val().UnixMicro() + 1
		i, m = learn(after, 250*time.Millisecond)
		check("a longer one named", i, m, 250*time.Millisecond, interval)
		after.at = rdb.Time(t.Context()).Val().UnixMicro() + 1
		f.pace.throttled(t.Context(), key, c, after, time.Hour)
		if i, _ := rdb.HGet(t.Context(), key, "interval").Int64(); micros(i) != maxInterval {
			t.Errorf("believed an interval of %v", micros(i))
		}
	})
}

func TestLearntMarginFades(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	c := slowly(getPatient(), interval)
	key := paceKey(clinic, c.Operation)
	for _, tc := range []struct{ age, want time.Duration }{
		{0, 140 * time.Millisecond},
		{12 * time.Hour, 90 * time.Millisecond},
		{24 * time.Hour, 40 * time.Millisecond},
		{-time.Hour, 140 * time.Millisecond}, // the server's clock was set back
	} {
		at := rdb.Time(t.Context()).Val().Add(-tc.age)
		rdb.HSet(t.Context(), key, "margin", (140 * time.Millisecond).Microseconds(), "learned", at.UnixMicro(), "next", 1)
		if s := take(t, f, c); (2*s.window - tc.want).Abs() > time.Millisecond {
			t.Errorf("after %v the margin is %v, want %v", tc.age, 2*s.window, tc.want)
		}
	}
}

// A server whose clock was ahead and is set right must not stop an account for as long as it was ahead.
func TestClockSetBack(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	c := interactive(slowly(getPatient(), interval))
	ahead := rdb.Time(t.Context()).Val().Add(24 * time.Hour).UnixMicro()
	rdb.HSet(t.Context(), paceKey(clinic, c.Operation), "next", ahead, "blocked", ahead)
	if s := take(t, f, c); s.verdict == granted || s.wait > 2*time.Minute {
		t.Errorf("slot %+v", s)
	}
}

func TestSetIntervals(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := getPatient()
		for _, bad := range []time.Duration{0, -time.Second, time.Microsecond, time.Hour} {
			err := f.SetIntervals(t.Context(), clinic, map[string]time.Duration{c.Operation: interval, "GetProviders": bad})
			if err == nil {
				t.Errorf("%v accepted", bad)
			}
		}
		if n := rdb.Exists(t.Context(), paceKey(clinic, c.Operation)).Val(); n != 0 {
			t.Error("half of a refused set was stored")
		}
		if err := f.SetIntervals(t.Context(), clinic, map[string]time.Duration{c.Operation: interval}); err != nil {
			t.Fatal(err)
		}
		one, two := take(t, f, c), take(t, f, c)
		if gap := micros(two.at - one.at); gap != 140*time.Millisecond {
			t.Errorf("slots %v apart", gap)
		}
	})
}

// A void grant gives its slot back, unless a later one is out already.
func TestVoidGivesBack(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := slowly(getPatient(), 300*time.Millisecond)
		next := func() int64 {
			n, _ := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Int64()
			return n
		}
		p := enter(t, f, c)
		p.Done(t.Context(), tebra.Outcome{NotSent: true, Code: tebra.Unavailable})
		if next() != p.slot.before {
			t.Error("the slot of a call that was not sent is lost")
		}
		p = enter(t, f, c)
		if now := time.Now(); p.SendBy().IsZero() || p.SendBy().After(now.Add(30*time.Millisecond)) {
			t.Errorf("send by %v, now %v; half the margin is 30ms", p.SendBy(), now)
		}
		p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
		if next() != p.slot.before {
			t.Error("a void slot is lost")
		}
		p = enter(t, f, c)
		later := take(t, f, c)
		p.Done(t.Context(), tebra.Outcome{Void: true, NotSent: true})
		if next() != later.next {
			t.Error("giving back an earlier slot moved a later grant")
		}
	})
}

// A grant that is too late when it arrives is not handed out, and spends nothing.
func TestLateGrants(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb, func(o *Options) { o.MinMargin = time.Microsecond })
		c := slowly(getPatient(), time.Microsecond) // half of this margin is shorter than any way to Redis and back
		_ = refused(t, f, c, PaceReason)
		next, _ := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Int64()
		if now := rdb.Time(t.Context()).Val().UnixMicro(); next > now {
			t.Errorf("the budget is spent until %v from now", micros(next-now))
		}
	})
}

// A throttle answer reaches callers who already wait in their slots: they enter anew instead of calling.
func TestBlockReachesWaiting(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		c := slowly(getPatient(), 200*time.Millisecond)
		first := enter(t, f, c)
		got := make(chan *pass, 1)
		go func() {
			p, err := f.Enter(t.Context(), c)
			if err != nil {
				t.Error(err)
				got <- nil
				return
			}
			got <- p.(*pass)
		}()
		for rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "next").Val() == "" || len(f.account(clinic).flight.common) < 2 {
			until(t, time.Now().Add(time.Millisecond))
		}
		first.Done(t.Context(), tebra.Outcome{Code: tebra.Throttled, Interval: 400 * time.Millisecond})
		blocked, _ := rdb.HGet(t.Context(), paceKey(clinic, c.Operation), "blocked").Int64()
		if p := <-got; p != nil {
			if p.slot.at < blocked {
				t.Errorf("called %v before the block ended", micros(blocked-p.slot.at))
			}
			p.Done(t.Context(), tebra.Outcome{})
		}
	})
}
