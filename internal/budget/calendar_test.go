package budget

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func newCalendar(t testing.TB, rdb redis.UniversalClient, change ...func(*Options)) *Calendar {
	t.Helper()
	o := Options{Redis: rdb, MinMargin: 40 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	c, err := NewCalendar(o)
	if err != nil {
		t.Fatal(err)
	}
	c.limit = 10 * time.Second // the machine may be busy
	return c
}

// pitch is the distance of two places with the tests' interval and margin.
const pitch = 135 * time.Millisecond

// returned books a place for a refused call.
func returned(t testing.TB, c *Calendar, op Operation, earliest time.Duration) time.Duration {
	t.Helper()
	wait, err := c.Return(t.Context(), op, earliest)
	if err != nil {
		t.Fatal(err)
	}
	return wait
}

// Each refused caller gets the next place, so that they return one by one.
func TestRefusedCallersReturnOneByOne(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, op := newCalendar(t, rdb), getPatient(interval)
		began := rdb.Time(t.Context()).Val()
		for i := range 20 {
			before := rdb.Time(t.Context()).Val().Sub(began)
			wait := returned(t, c, op, 0)
			after, want := rdb.Time(t.Context()).Val().Sub(began), time.Duration(i)*pitch
			if before+wait > want+after || after+wait < want {
				t.Errorf("place %d is at %v to %v, want %v", i, before+wait, after+wait, want)
			}
		}
		if ttl := rdb.PTTL(t.Context(), op.calendarKey()).Val(); ttl < time.Hour {
			t.Errorf("the calendar expires after %v", ttl)
		}
	})
}

// A caller that may not return before some time is not placed behind all others, and does not keep
// them from the places before it.
func TestEarliestPlace(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, op := newCalendar(t, rdb), getPatient(interval)
		for i := range 3 {
			if wait := returned(t, c, op, time.Minute); wait < time.Minute || wait > time.Minute+time.Duration(i)*pitch {
				t.Errorf("place %d of those after a minute is %v away", i, wait)
			}
		}
		if wait := returned(t, c, op, 0); wait > pitch {
			t.Errorf("behind an empty minute, the next place is %v away", wait)
		}
	})
}

// A full calendar is no refusal: more callers are spread, and never without end.
func TestFullCalendarSpreads(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, op := newCalendar(t, rdb, func(o *Options) { o.Horizon = time.Second }), getPatient(interval)
		var waits []time.Duration
		for range 40 {
			waits = append(waits, returned(t, c, op, 0))
		}
		slices.Sort(waits)
		if last := waits[39]; last > time.Second+pitch {
			t.Errorf("a place is %v away", last)
		}
		for i := 10; i < 40; i++ {
			if gap := waits[i] - waits[i-10]; gap < 20*time.Millisecond {
				t.Errorf("11 places within %v", gap)
			}
		}
	})
}

// Places that no call used do not keep later callers waiting.
func TestUnusedPlacesAreGivenUp(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		for unused, gone := range map[time.Duration]bool{calendarIdle / 2: false, calendarIdle + time.Second: true} {
			c, op := newCalendar(t, rdb), getPatient(interval)
			op.Name += unused.String()
			now := rdb.Time(t.Context()).Val()
			rdb.HSet(t.Context(), op.key(), "next", now.Add(-unused).UnixMicro())
			rdb.HSet(t.Context(), op.calendarKey(), flowReturned,
				fmt.Sprintf("%d:%d", now.Add(-unused).UnixMicro(), now.Add(10*time.Minute).UnixMicro()))
			if wait := returned(t, c, op, 0); gone != (wait < time.Minute) {
				t.Errorf("after %v without a call, the next place is %v away", unused, wait)
			}
		}
	})
}

// Wherever a calendar comes from, places are bounded, and a block is respected.
func TestStrangeCalendars(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c := newCalendar(t, rdb, func(o *Options) { o.Horizon = time.Hour })
		now := rdb.Time(t.Context()).Val()
		ahead := now.Add(1000 * time.Hour).UnixMicro()
		for name, list := range map[string]string{
			"empty": "", "words": "x:y z", "backwards": fmt.Sprintf("%d:%d", ahead, now.UnixMicro()), "past": "1:2",
			"without end": fmt.Sprintf("%d:%d", now.UnixMicro(), ahead), "long": strings.Repeat("9:8 ", 300),
		} {
			op := getPatient(interval)
			op.Name = name
			rdb.HSet(t.Context(), op.calendarKey(), flowReturned, list, "beyond", "x", "end", "x", "?", list)
			if wait := returned(t, c, op, 0); wait > time.Hour+pitch {
				t.Errorf("%s: the next place is %v away", name, wait)
			}
		}
		for i, d := range []time.Duration{-time.Hour, 0, time.Microsecond, 24 * time.Hour} {
			op := getPatient(d)
			op.Name = fmt.Sprint(i)
			for range 3 {
				if wait := returned(t, c, op, 0); wait < 0 || wait > 72*time.Hour {
					t.Errorf("with an interval of %v, the next place is %v away", d, wait)
				}
			}
		}
		op := getPatient(interval)
		rdb.HSet(t.Context(), op.key(), "blocked", now.Add(time.Minute).UnixMicro())
		if wait := returned(t, c, op, 0); wait < 59*time.Second {
			t.Errorf("a blocked operation has a place %v away", wait)
		}
	})
}

// model is the calendar of one operation, kept simply: the places that each flow has, and how long
// they last.
type model map[string][][2]int64

// weights are those of the model's flows.
var weights = map[string]int64{flowReturned: 1, "4:a": 4, "4:b": 4, "2:c": 2}

// length is that of a place at a time: the flow's share among those that have places then or soon.
func (m model) length(flow string, from, least int64) int64 {
	total := weights[flow]
	for name, list := range m {
		if name != flow && slices.ContainsFunc(list, func(p [2]int64) bool { return p[0] <= from+4*least && p[1] > from }) {
			if flow == flowReturned {
				return 2 * least
			}
			total += weights[name]
		}
	}
	return least * total / weights[flow]
}

// book returns the first place at or after a time that overlaps no other of the flow.
func (m model) book(flow string, from, least int64) int64 {
	list, length := m[flow], m.length(flow, from, least)
	for i := 0; i < len(list); i++ {
		// A gap that is shorter than any place counts as taken.
		next := list[i][0]
		if i > 0 && list[i][0]-list[i-1][1] < least {
			next = list[i-1][1]
		}
		if from+length <= next {
			break
		}
		from = max(from, list[i][1])
		length = m.length(flow, from, least)
	}
	list = append(list, [2]int64{from, from + length})
	slices.SortFunc(list, func(a, b [2]int64) int { return int(a[0] - b[0]) })
	m[flow] = list
	return from
}

// The script books what a simple model books.
func TestCalendarLikeModel(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := newCalendar(t, rdb)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(time.Duration(rapid.Int64Range(100_000, 2_000_000).Draw(rt, "interval")) * time.Microsecond)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.calendarKey())
		m := model{}
		names := []string{flowReturned, "4:a", "4:b", "2:c"}
		for range rapid.IntRange(1, 25).Draw(rt, "bookings") {
			flow := rapid.SampledFrom(names).Draw(rt, "flow")
			earliest := rapid.Int64Range(0, 20_000_000).Draw(rt, "earliest")
			n := rapid.IntRange(1, 4).Draw(rt, "places")
			v, err := bookScript.Run(t.Context(), rdb, []string{op.calendarKey()},
				c.bookArgs(op, flow, earliest, n)...).Int64Slice()
			if err != nil || len(v) != 2*n+2 {
				rt.Fatalf("%v, %v", v, err)
			}
			now, least := v[0], v[1]
			for i := range n {
				wait, want := v[2+2*i], m.book(flow, now+earliest, least)
				if now+wait != want {
					rt.Fatalf("%s, place %d of %d: %v from now, want %v", flow, i, n, micros(wait), micros(want-now))
				}
			}
		}
	})
}
