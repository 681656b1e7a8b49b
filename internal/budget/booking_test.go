package budget

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// bookings are n requests of one flow.
func bookings(op Operation, f Flow, n int) []Booking {
	out := make([]Booking, n)
	for i := range out {
		out[i] = Booking{Operation: op, Flow: f}
	}
	return out
}

func book(t testing.TB, c *Calendar, b ...Booking) []Place {
	t.Helper()
	places, err := c.Book(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return places
}

// A batch gets one place after the other, in its order, and the first at once.
func TestBookABatch(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		const n = 50
		c, f := newCalendar(t, rdb), NewFlow(4, "7")
		patient, other := getPatient(interval), Operation{Tenant: "clinic-b", Name: "GetPatient", Interval: interval}
		batch := append(bookings(patient, f, n), bookings(other, f, 2)...)
		places := book(t, c, batch...)
		for i, p := range places[:len(places)-2] {
			if i > 0 && micros(p.At-places[i-1].At) != pitch {
				t.Fatalf("places %d and %d are %v apart", i-1, i, micros(p.At-places[i-1].At))
			}
		}
		if places[0].Wait != 0 || places[2].Wait < pitch || places[len(places)-2].Wait != 0 {
			t.Errorf("first %v, third %v, first of another account %v", places[0].Wait, places[2].Wait, places[len(places)-2].Wait)
		}
		twice := Booking{Operation: Operation{Tenant: clinic, Name: "GetPatients", Interval: interval}, Flow: f, Calls: 2}
		if p := book(t, c, twice, twice); micros(p[1].At-p[0].At) != 2*pitch {
			t.Errorf("two places for two calls each: %+v", p)
		}
		late := Booking{Operation: patient, Flow: f, Earliest: 10 * time.Hour}
		if p := book(t, c, late)[0]; p.Wait < 10*time.Hour || p.Wait > 10*time.Hour+time.Second {
			t.Errorf("a place after ten hours is %v away", p.Wait)
		}
	})
}

// Places that were released are the next that are taken, whatever order they come back in.
func TestReleasedPlacesAreReused(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, f, op := newCalendar(t, rdb), NewFlow(4, "7"), getPatient(interval)
		all := bookings(op, f, 100)
		places := book(t, c, all...)
		c.Release(t.Context(), all[60:90], places[60:90])
		c.Release(t.Context(), all[:1], []Place{{At: places[30].At}}) // by its time only
		c.Release(t.Context(), all[:1], []Place{{}})
		c.Release(t.Context(), all[:1], []Place{{At: 1}})                 // passed
		c.Release(t.Context(), all[:1], []Place{{At: places[99].At * 2}}) // never booked
		again := book(t, c, bookings(op, f, 32)...)
		for i, p := range again {
			want := places[99].At + pitch.Microseconds()
			switch {
			case i == 0:
				want = places[30].At
			case i <= 30:
				want = places[59+i].At
			}
			if p.At != want {
				t.Fatalf("place %d is %v after the expected one", i, micros(p.At-want))
			}
		}
	})
}

// Flows divide the budget by weight while they have places ahead, and a practice with a long
// backlog does not keep another's calls waiting.
func TestFlowsShareACalendar(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, op := newCalendar(t, rdb), getPatient(interval)
		book(t, c, bookings(op, NewFlow(2, "7"), 1000)...)
		prompt := book(t, c, bookings(op, NewFlow(4, "8"), 20)...)
		if last := prompt[19].Wait; last > 20*pitch*3/2 {
			t.Errorf("the 20th of a flow with two thirds is %v away", last)
		}
		alone := getPatient(interval)
		alone.Name = "GetPatients"
		if last := book(t, c, bookings(alone, NewFlow(1, "7"), 20)...)[19].Wait; last > 20*pitch {
			t.Errorf("a flow that is alone gets its 20th place in %v", last)
		}
	})
}

// However many flows one call has, and however many calls there are, the flows divide the budget:
// at no time there are more places than the budget allows and a few at once for each flow, and a
// backlog leaves no gaps.
func TestFlowsOfOneCallDivideTheBudget(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := newCalendar(t, rdb)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(interval)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.calendarKey())
		var batch []Booking
		flows := rapid.IntRange(1, 8).Draw(rt, "flows")
		for i := range flows {
			f := NewFlow(rapid.SampledFrom([]int{4, 8}).Draw(rt, "weight"), fmt.Sprint(i))
			batch = append(batch, bookings(op, f, rapid.IntRange(1, 20).Draw(rt, "places"))...)
		}
		places := book(t, c, batch...)
		slices.SortFunc(places, func(a, b Place) int { return int(a.At - b.At) })
		for i, p := range places {
			at := micros(p.At - places[0].At)
			if least := time.Duration(i-3*flows) * pitch; at < least {
				rt.Fatalf("%d flows: place %d of %d is at %v, before %v", flows, i, len(places), at, least)
			}
			if most := time.Duration(i+flows) * pitch; at > most {
				rt.Fatalf("%d flows: place %d of %d is at %v, after %v", flows, i, len(places), at, most)
			}
		}
	})
}

// A task ten hours ahead takes no share until then.
func TestLaterTaskTakesNoShare(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, op := newCalendar(t, rdb), getPatient(interval)
	book(t, c, Booking{Operation: op, Flow: NewFlow(8, "8"), Earliest: 10 * time.Hour})
	if last := book(t, c, bookings(op, NewFlow(4, "7"), 100)...)[99].Wait; last > 100*pitch {
		t.Errorf("the 100th place is %v away", last)
	}
}

// Refused calls come back soon whatever flow has places, and never after the end of all places
// while there is room before.
func TestRefusedCallsComeBackSoon(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, op := newCalendar(t, rdb), getPatient(interval)
	for i := range 16 {
		book(t, c, bookings(op, NewFlow(4+4*(i%2), fmt.Sprint(i)), 200)...)
	}
	for i := range 50 {
		if wait := returned(t, c, op, 0); wait > time.Duration(i+1)*2*pitch {
			t.Errorf("refused call %d comes back in %v", i, wait)
		}
	}
	alone := getPatient(interval)
	alone.Name = "GetPatients"
	end := book(t, c, bookings(alone, NewFlow(8, "7"), 250)...)[249].Wait
	for range 100 {
		if wait := returned(t, c, alone, 0); wait > end {
			t.Errorf("a refused call comes back in %v, after the backlog of %v", wait, end)
		}
	}
}

// A calendar counts with the margin that the pace has, wherever its parts come from.
func TestCalendarReadsTheMarginAsThePace(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	p, c := newPace(t, rdb, func(o *Options) { o.MaxWait = 5 * time.Minute }), newCalendar(t, rdb)
	rapid.Check(t, func(rt *rapid.T) {
		op := getPatient(250 * time.Millisecond)
		op.Name = rapid.StringMatching(`[A-Z][a-z]{8}`).Draw(rt, "operation")
		rdb.Del(t.Context(), op.key(), op.calendarKey())
		now := rdb.Time(t.Context()).Val()
		long := rapid.Int64Range(0, 60_000_000)
		for name, v := range map[string]int64{
			"interval": rapid.SampledFrom([]int64{0, 100_000, 700_000, 30_000_000}).Draw(rt, "interval"),
			"margin":   long.Draw(rt, "margin") / rapid.Int64Range(1, 5000).Draw(rt, "part"),
			"refused":  long.Draw(rt, "refused") / rapid.Int64Range(1, 5000).Draw(rt, "of"),
			"learned":  now.Add(-time.Duration(rapid.IntRange(-1, 30).Draw(rt, "learned")) * time.Hour).UnixMicro(),
			// Not on the hour, because the margin fades between the two scripts.
			"refused_at": now.Add(-time.Duration(rapid.IntRange(-1, 30).Draw(rt, "refused_at")) * 61 * time.Minute).UnixMicro(),
		} {
			rdb.HSet(t.Context(), op.key(), name, v)
		}
		places := book(t, c, bookings(op, NewFlow(4, "7"), 2)...)
		spacing := acquire(t, p, op, Demand{}).Spacing()
		base := 250 * time.Millisecond
		if v := rdb.HGet(t.Context(), op.key(), "interval").Val(); v != "0" {
			us, _ := strconv.ParseInt(v, 10, 64)
			base = micros(us)
		}
		want := base + max(base/25, spacing-base-base/20)
		if got := micros(places[1].At - places[0].At); got < want-time.Millisecond || got > want+time.Millisecond {
			rt.Errorf("places are %v apart, slots %v, want %v", got, spacing, want)
		}
	})
}

// A large batch is booked completely, and released completely, without a long script.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, op := newCalendar(t, rdb), getPatient(interval)
	for range 2 {
		batch := bookings(op, NewFlow(4, "7"), 4000)
		places := book(t, c, batch...)
		for i, p := range places {
			if p.At == 0 || i > 0 && p.At-places[i-1].At != pitch.Microseconds() {
				t.Fatalf("place %d: %+v", i, p)
			}
		}
		if n := len(spans(batch, places)); n != 1 {
			t.Errorf("%d spans", n)
		}
		c.Release(t.Context(), batch, places)
		one := book(t, c, batch[0])
		if one[0].Wait > pitch {
			t.Errorf("after all places were released, the next one is %v away", one[0].Wait)
		}
		c.Release(t.Context(), batch[:1], one)
	}
}

// What could be booked stays booked if an operation's calendar is damaged.
func TestBookingsOfOneCallFailApart(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, good, bad := newCalendar(t, rdb), getPatient(interval), getPatient(interval)
	bad.Name = "GetPatients"
	rdb.Set(t.Context(), bad.calendarKey(), "x", 0)
	f := NewFlow(4, "7")
	places, err := c.Book(t.Context(), append(bookings(bad, f, 600), bookings(good, f, 600)...))
	if err == nil || len(places) != 1200 {
		t.Fatalf("%d places, %v", len(places), err)
	}
	for i, p := range places {
		if (p.At != 0) != (i >= 600) {
			t.Errorf("place %d: %+v", i, p)
		}
	}
}

// The number of flows, and so the size of a calendar, is bounded whatever the names are.
func TestCalendarIsBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c, op := newCalendar(t, rdb), getPatient(interval)
	for i := range 200 {
		b := Booking{Operation: op, Flow: NewFlow(4, fmt.Sprint("practice ", i)), Earliest: time.Duration(i*997%200) * time.Minute}
		book(t, c, b)
	}
	if n := rdb.HLen(t.Context(), op.calendarKey()).Val(); n > flowBuckets+4 {
		t.Errorf("%d fields", n)
	}
	for field, text := range rdb.HGetAll(t.Context(), op.calendarKey()).Val() {
		if len(text) > calendarEntries*40 {
			t.Errorf("field %s has %d bytes", field, len(text))
		}
	}
}

// Ten thousand operations have calendars of their own.
func TestManyOperations(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := newCalendar(t, rdb)
	var all []Booking
	for i := range 10_000 {
		op := getPatient(interval)
		op.Name = fmt.Sprint("Get", i)
		all = append(all, Booking{Operation: op, Flow: NewFlow(4, "7")})
	}
	for done := 0; done < len(all); done += 500 {
		for i, p := range book(t, c, all[done:done+500]...) {
			if p.Wait != 0 {
				t.Fatalf("operation %d has its first place in %v", done+i, p.Wait)
			}
		}
	}
}

// A Redis that accepts connections and never answers costs a moment.
func TestHangingRedisDelaysABookingBriefly(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: silent.Addr().String(), ContextTimeoutEnabled: true, MaxRetries: -1})
	t.Cleanup(func() { _, _ = rdb.Close(), silent.Close() })
	c, op := newCalendar(t, rdb), getPatient(interval)
	c.limit = calendarLimit
	began := time.Now()
	if places, err := c.Book(t.Context(), bookings(op, Flow{}, 3)); err == nil {
		t.Errorf("booked %+v", places)
	}
	c.Release(t.Context(), bookings(op, Flow{}, 1), []Place{{At: 1}})
	if _, err := c.Return(t.Context(), op, 0); err == nil {
		t.Error("a place without Redis")
	}
	if took := time.Since(began); took > 4*calendarLimit {
		t.Errorf("took %v", took)
	}
}
