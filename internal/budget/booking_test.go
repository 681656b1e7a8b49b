package budget

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

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

// Places that were given back are the next that are taken, whatever order they come back in.
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
