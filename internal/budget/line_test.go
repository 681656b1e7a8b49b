package budget

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"
)

// TestUntilMeasuresTheUnion compares the time that is taken before a time with a count of units.
func TestUntilMeasuresTheUnion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, used := taken{}, [100]bool{}
		for flow := range rapid.IntRange(0, 4).Draw(t, "flows") {
			var list [][2]int64
			for from := rapid.Int64Range(-20, 20).Draw(t, "from"); from < 90; {
				to := min(100, from+rapid.Int64Range(1, 30).Draw(t, "length"))
				list = append(list, [2]int64{from, to})
				for i := max(0, from); i < to; i++ {
					used[i] = true
				}
				from = to + rapid.Int64Range(1, 60).Draw(t, "gap")
			}
			if len(list) > 0 {
				b["4:"+strconv.Itoa(flow)] = list
			}
		}
		end, want := rapid.IntRange(0, 99).Draw(t, "end"), int64(0)
		for _, u := range used[:end] {
			if u {
				want++
			}
		}
		if got := b.until(int64(end)); got != want {
			t.Errorf("%d of %d are taken, want %d: %v", got, end, want, b)
		}
	})
}

// TestLineCountsPlaces checks that the calls before a place are counted, of all flows.
func TestLineCountsPlaces(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		c, p, op := newCalendar(t, rdb), newPace(t, rdb), getPatient(250*time.Millisecond)
		l, err := p.Line(t.Context(), op, time.Hour)
		if err != nil || l.Before != 0 || l.Spacing != 290*time.Millisecond || l.Pitch == 0 {
			t.Errorf("of an operation that was never called: %+v, %v", l, err)
		}
		var bookings []Booking
		for i := range 300 {
			flow := NewFlow(8, "a")
			if i%3 == 0 {
				flow = NewFlow(4, "b")
			}
			bookings = append(bookings, Booking{Operation: op, Flow: flow})
		}
		places, err := c.Book(t.Context(), bookings)
		if err != nil {
			t.Fatal(err)
		}
		now := rdb.Time(t.Context()).Val().UnixMicro()
		for _, i := range []int{10, 150, 299} {
			want := 0
			for _, other := range places {
				if other.At > now && other.At < places[i].At {
					want++
				}
			}
			l, err := p.Line(t.Context(), op, micros(places[i].At-rdb.Time(t.Context()).Val().UnixMicro()))
			// Places pass while the test runs.
			if err != nil || l.Before > want+2 || l.Before < want*9/10-10 {
				t.Errorf("%+v before place %d, want %d, %v", l, i, want, err)
			}
		}
		_ = rdb.Close()
		if _, err := p.Line(t.Context(), op, 0); err == nil {
			t.Error("read without Redis")
		}
	})
}
