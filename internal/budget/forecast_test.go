package budget

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// The forecast has the places that the calls get when they are then booked, and reading it changes
// nothing.
func TestForecastLikeBooking(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, p := newCalendar(t, rdb), newPace(t, rdb)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(time.Duration(rapid.Int64Range(100, 2000).Draw(rt, "interval")) * time.Millisecond)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.calendarKey(), op.key())
		// Places begin at a time that does not move.
		rdb.HSet(t.Context(), op.key(), "next", rdb.Time(t.Context()).Val().Add(20*time.Second).UnixMicro())
		flows := []Flow{NewFlow(4, "a"), NewFlow(4, "b"), NewFlow(8, "a"), NewFlow(2, "c")}
		// Book has a limit of time, which a busy machine exceeds.
		book := func(f Flow, earliest int64, n int) []int64 {
			v, err := bookScript.Run(t.Context(), rdb, []string{op.calendarKey()}, c.bookArgs(op, f.field(), earliest, n)...).Int64Slice()
			if err != nil || len(v) != 2+2*n {
				rt.Fatalf("%v, %v", v, err)
			}
			return v
		}
		for range rapid.IntRange(0, 12).Draw(rt, "bookings") {
			book(rapid.SampledFrom(flows).Draw(rt, "flow"), rapid.Int64Range(0, 60_000_000).Draw(rt, "earliest"), rapid.IntRange(1, 6).Draw(rt, "calls"))
		}
		mine, n := rapid.SampledFrom(flows).Draw(rt, "mine"), rapid.IntRange(1, 40).Draw(rt, "n")
		before := rdb.HGetAll(t.Context(), op.calendarKey()).Val()
		_, s, err := p.Forecast(t.Context(), op, Calls{N: n, Flow: mine})
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(before, rdb.HGetAll(t.Context(), op.calendarKey()).Val()); diff != "" {
			rt.Fatalf("reading changed the calendar (-before +after):\n%s", diff)
		}
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		now := rdb.Time(t.Context()).Val().UnixMicro()
		b := readBookings(before, now, 0, c.o.Horizon.Microseconds())
		next := rdb.HGet(t.Context(), op.key(), "next").Val()
		begin := readBookings(map[string]string{"1:x": next + ":9" + next}, now, 0, 1e15)["1:x"][0][0]
		got := b.places(mine.field(), begin, s.pitch(), all...)
		v := book(mine, 0, n)
		for i := range n {
			if want := v[0] + v[2+2*i] - now; math.Abs(got[i]-float64(want)) > 20 {
				rt.Fatalf("call %d of %d: %.0f µs from now, want %d", i, n, got[i], want)
			}
		}
	})
}

// Whatever the budget, the calendar and the number, a forecast is in order and within its bounds,
// calls are a spacing apart, and more calls are never done earlier.
func TestForecastIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		duration := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(rt, name) >> rapid.IntRange(0, 62).Draw(rt, name+" shift"))
		}
		s := State{Interval: duration("interval") / 2, Margin: duration("margin") / 2, Next: duration("next"), Blocked: duration("blocked"), Backlog: duration("backlog")}
		s.Spacing = s.Interval + s.Margin
		b := taken{}
		for range rapid.IntRange(0, 4).Draw(rt, "flows") {
			from := rapid.Int64Range(0, 1e12).Draw(rt, "from")
			name := NewFlow(rapid.IntRange(1, math.MaxInt32).Draw(rt, "weight"), rapid.String().Draw(rt, "name")).field()
			b[name] = [][2]int64{{from, from + rapid.Int64Range(1, 1e12).Draw(rt, "length")}}
		}
		c := Calls{N: rapid.IntRange(-1, 5000).Draw(rt, "n"), Interactive: rapid.Bool().Draw(rt, "interactive"), Flow: NewFlow(4, ""), Earliest: duration("earliest")}
		f := s.forecast(b, c)
		first := min(max(s.Next, s.Blocked, c.Earliest).Truncate(time.Microsecond), MaxForecast)
		if f.First < first-time.Millisecond || f.Half < f.First || f.Last < f.Half || f.Last > MaxForecast || f.Limit == "" {
			rt.Fatalf("%+v of %+v", f, c)
		}
		own := min(float64(max(c.N, 1)-1)*float64(s.Spacing), float64(MaxForecast-f.First))
		if float64(f.Last-f.First) < own*(1-1e-6)-float64(c.N+1)*float64(2*time.Microsecond) {
			rt.Fatalf("%d calls within %v, with a spacing of %v", c.N, f.Last-f.First, s.Spacing)
		}
		c.N++
		if more := s.forecast(b, c); more.Last < f.Last {
			rt.Fatalf("one call more is sent earlier: %v, then %v", f.Last, more.Last)
		}
	})
}

// The limit is what delays the calls most.
func TestForecastLimits(t *testing.T) {
	t.Parallel()
	s := State{Interval: time.Second, Margin: 100 * time.Millisecond, Spacing: 1100 * time.Millisecond}
	minute := taken{NewFlow(4, "").field(): {{0, 60e6}}}
	blocked := s
	blocked.Blocked, blocked.Next = time.Minute, time.Minute
	busy := s
	busy.Backlog = time.Minute
	for name, row := range map[string]struct {
		s    State
		b    taken
		c    Calls
		want Forecast
	}{
		"one call":  {s, nil, Calls{N: 1}, Forecast{Limit: LimitSpacing}},
		"many":      {s, nil, Calls{N: 11}, Forecast{Half: 5500 * time.Millisecond, Last: 11 * time.Second, Limit: LimitSpacing}},
		"throttled": {blocked, nil, Calls{N: 1}, Forecast{First: time.Minute, Half: time.Minute, Last: time.Minute, Limit: LimitBlock}},
		"later":     {s, nil, Calls{N: 1, Earliest: time.Hour}, Forecast{First: time.Hour, Half: time.Hour, Last: time.Hour, Limit: LimitEarliest}},
		"people":    {busy, minute, Calls{N: 4, Interactive: true}, Forecast{Half: 1100 * time.Millisecond, Last: 4400 * time.Millisecond, Limit: LimitSpacing}},
	} {
		row.c.Flow = NewFlow(4, "")
		if got := row.s.forecast(row.b, row.c); got != row.want {
			t.Errorf("%s: %+v, want %+v", name, got, row.want)
		}
	}
	if f := s.forecast(minute, Calls{N: 2, Flow: NewFlow(4, "")}); f.Limit != LimitBookings || f.First < time.Minute {
		t.Errorf("behind others: %+v", f)
	}
	if f := s.forecast(minute, Calls{N: 2, Flow: NewFlow(8, "")}); f.First != 0 || f.Last > 2*time.Second {
		t.Errorf("a share of its own: %+v", f)
	}
}
