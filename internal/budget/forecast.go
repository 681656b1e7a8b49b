package budget

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// MaxForecast is the greatest time of a forecast, which stands for all greater ones.
const MaxForecast = 100 * 365 * 24 * time.Hour

// nearPitches is how soon the places of a flow must begin to count at a time, as in book.lua.
const nearPitches = 4

// Calls are calls of one operation that a forecast is for.
type Calls struct {
	N           int  // from 1
	Interactive bool // people wait for them: they are not booked
	Flow        Flow // of those that are booked
	// Earliest is how long from now the first may be sent at the earliest.
	Earliest time.Duration
}

// Limit is what delays calls most.
type Limit string

// The limits.
const (
	LimitSpacing  Limit = "spacing"  // between the calls themselves
	LimitBookings Limit = "bookings" // places that other calls have
	LimitBlock    Limit = "block"    // after a throttle response
	LimitEarliest Limit = "earliest" // Calls.Earliest
)

// Forecast is when calls would be sent, from now.
type Forecast struct {
	First, Half, Last time.Duration // Half: the call with which half of them are sent
	Limit             Limit         // of the last call
}

// Forecast says when calls of an operation would be sent if they were demanded now, nothing else
// were demanded later, and the spacing stayed as it is. It changes nothing. It returns the state of
// the budget too.
func (p *Pace) Forecast(ctx context.Context, op Operation, c Calls) (Forecast, State, error) {
	s, err := p.state(ctx, op)
	if err != nil {
		return Forecast{}, State{}, err
	}
	b, err := p.bookings(ctx, op)
	return s.forecast(b, c), s, err
}

// bookings reads the calendar of an operation.
func (p *Pace) bookings(ctx context.Context, op Operation) (taken, error) {
	var fields *redis.MapStringStringCmd
	var budget *redis.SliceCmd
	var clock *redis.TimeCmd
	_, err := p.o.Redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		fields, budget, clock = pipe.HGetAll(ctx, op.calendarKey()), pipe.HMGet(ctx, op.key(), "next"), pipe.Time(ctx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read calendar: %w", redisconn.Clean(err))
	}
	next, _ := strconv.ParseInt(fmt.Sprint(budget.Val()...), 10, 64) // 0 without a budget
	now := clock.Val().UnixMicro()
	return readBookings(fields.Val(), now, next-now, p.o.Horizon.Microseconds()), nil
}

// taken are the places of each flow of a calendar, in microseconds from now: beginning and end,
// in order.
type taken map[string][][2]int64

// readBookings reads a calendar as book.lua does. next is when the last reserved slot ends, from
// now.
func readBookings(fields map[string]string, now, next, horizon int64) taken {
	out := taken{}
	for name, text := range fields {
		if !strings.Contains(name, ":") {
			continue
		}
		var list [][2]int64
		for entry := range strings.FieldsSeq(text) {
			from, to, _ := strings.Cut(entry, ":")
			a, err := strconv.ParseInt(from, 10, 64)
			b, err2 := strconv.ParseInt(to, 10, 64)
			if b = min(b-now, 2*horizon); err == nil && err2 == nil && b > 0 && b > a-now {
				list = append(list, [2]int64{a - now, b})
			}
		}
		if len(list) > 0 && max(list[0][0], next) >= -calendarIdle.Microseconds() {
			out[name] = list
		}
	}
	return out
}

// weightOf returns the weight in the name of a flow's field.
func weightOf(field string) int64 {
	weight, _, _ := strings.Cut(field, ":")
	n, err := strconv.ParseInt(weight, 10, 32)
	if err != nil {
		return 1
	}
	return max(n, 1)
}

// length returns how much of a flow's time a place takes. Flows count that have places then, or
// soon after it.
func (b taken) length(flow string, from, pitch int64) int64 {
	own := weightOf(flow)
	total := own
	for name, list := range b {
		i := slices.IndexFunc(list, func(run [2]int64) bool { return run[1] > from })
		if name != flow && i >= 0 && list[i][0] <= from+nearPitches*pitch {
			total += weightOf(name)
		}
	}
	return int64(min(float64(pitch)*float64(total)/float64(own), float64(MaxForecast.Microseconds())))
}

// places returns the places of the calls with these indexes, which ascend, when a flow books calls
// from some time on.
func (b taken) places(flow string, from, pitch int64, indexes ...int) []float64 {
	list, end := b[flow], int64(0)
	for _, l := range b {
		end = max(end, l[len(l)-1][1])
	}
	var out []float64
	for i := 0; len(out) < len(indexes); i++ {
		length := b.length(flow, from, pitch)
		for len(list) > 0 && from+length > list[0][0] {
			if from < list[0][1] {
				from = list[0][1]
				length = b.length(flow, from, pitch)
			}
			list = list[1:]
		}
		if from >= end { // nothing is booked after this
			for _, index := range indexes[len(out):] {
				out = append(out, float64(from)+float64(index-i)*float64(pitch))
			}
			return out
		}
		for len(out) < len(indexes) && indexes[len(out)] == i {
			out = append(out, float64(from))
		}
		from += length
	}
	return out
}

// forecast computes a forecast.
func (s State) forecast(b taken, c Calls) Forecast {
	n := max(c.N, 1)
	indexes := []int{0, (n - 1) / 2, n - 1}
	begin := max(s.Next, s.Blocked, c.Earliest, 0)
	start, spacing := float64(begin.Microseconds()), max(1, float64(s.Spacing.Microseconds()))
	var at []float64
	if c.Interactive {
		for _, i := range indexes {
			turns := float64(i)
			if s.Backlog > begin {
				turns += float64(i / inRow)
			}
			at = append(at, start+turns*spacing)
		}
	} else {
		// Calls are sent as they are booked, but a whole spacing apart.
		pitch := s.pitch()
		at = b.places(c.Flow.field(), begin.Microseconds(), pitch, indexes...)
		for i := range at {
			at[i] = start + (at[i]-start)*max(1, spacing/float64(pitch))
		}
	}
	f := Forecast{First: inTime(at[0]), Half: inTime(at[1]), Last: inTime(at[2]), Limit: LimitSpacing}
	own := float64(n-1) * spacing
	most := own + float64(max(0, s.Next-s.Blocked).Microseconds())
	for limit, delay := range map[Limit]float64{
		LimitBookings: at[2] - start - own, LimitBlock: float64(s.Blocked.Microseconds()), LimitEarliest: float64(c.Earliest.Microseconds()),
	} {
		if delay > most+1 || delay == most && delay > 1 && limit > f.Limit {
			f.Limit, most = limit, delay
		}
	}
	return f
}

// pitch returns the distance of two places in microseconds, as book.lua computes it.
func (s State) pitch() int64 {
	interval, margin := s.Interval.Microseconds(), s.Margin.Microseconds()
	return max(1, interval+max(interval/25, margin-interval/20))
}

// inTime returns a number of microseconds as a duration, at most MaxForecast.
func inTime(micros float64) time.Duration {
	return time.Duration(math.Min(max(micros, 0), float64(MaxForecast.Microseconds()))) * time.Microsecond
}
