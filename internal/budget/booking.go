package budget

import (
	"cmp"
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/unbook.lua
var unbookSource string

var unbookScript = redis.NewScript(unbookSource)

const (
	// flowBuckets bounds the flows of one weight.
	flowBuckets = 8
	// scriptPlaces is how many places one script books, and scriptSpans how many spans of time one
	// releases, so that Redis is never busy with one for long.
	scriptPlaces, scriptSpans = 500, 100
	// tripPlaces and tripScripts bound one round trip, which has a limit of time of its own.
	tripPlaces, tripScripts = 2000, 200
	// callTrips bounds the time that all round trips of one call take, in those of single ones.
	callTrips = 8
)

// Flow is a share of an operation's calendar. Flows that have places ahead divide the budget by
// weight; what others do not use is theirs.
type Flow struct {
	weight int
	bucket uint32
}

// NewFlow returns the flow of a weight, from 1, and a name, such as that of a practice. Many names
// may have the same flow.
func NewFlow(weight int, name string) Flow {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return Flow{weight: max(1, weight), bucket: h.Sum32() % flowBuckets}
}

// field is the flow's field of the calendar. It does not contain the name.
func (f Flow) field() string {
	return strconv.Itoa(max(1, f.weight)) + ":" + strconv.Itoa(int(f.bucket))
}

// Booking is a request for a place.
type Booking struct {
	Operation Operation
	Flow      Flow
	// Earliest is how long from now the place must be at least.
	Earliest time.Duration
	// Calls is how many calls the place is for. 0 means 1.
	Calls int
}

// Place is a place on a calendar. The zero value means that there is no place.
type Place struct {
	// Wait is how long from now the place is: 0 if the call may be tried at once.
	Wait time.Duration
	// At is the place in microseconds of Redis' clock. 0 for the zero value.
	At int64

	length int64 // in microseconds, of all calls
}

// group is the part of a batch that one script books.
type group struct {
	operation Operation
	bookings  []any
	indexes   []int // of the bookings; a booking for several calls occurs as often
	call      scriptCall
	last      Booking
}

// Book takes a place for each booking, in few round trips. After an error some have none, which is
// the zero value; a caller goes on without it. It takes at most two seconds, and a quarter of one
// if Redis does not answer.
func (c *Calendar) Book(ctx context.Context, bookings []Booking) ([]Place, error) {
	ctx, cancel := context.WithTimeout(ctx, callTrips*c.limit)
	defer cancel()
	places := make([]Place, len(bookings))
	var failed error
	for rest := c.groups(bookings); len(rest) > 0; {
		n, sum := 0, 0
		var calls []*scriptCall
		for n < len(rest) && n < tripScripts && (n == 0 || sum+len(rest[n].indexes) <= tripPlaces) {
			g := rest[n]
			n, sum = n+1, sum+len(g.indexes)
			g.call = scriptCall{key: g.operation.calendarKey(), args: c.bookArgs(g.operation, g.bookings...)}
			calls = append(calls, &g.call)
		}
		err := c.trip(ctx, bookScript, calls)
		for _, g := range rest[:n] {
			if g.call.err() == nil && !g.read(places) {
				err = errors.New("unknown reply")
			}
		}
		var reply redis.Error
		if failed == nil {
			failed = err
		}
		if err != nil && !errors.As(err, &reply) {
			break // Redis does not answer
		}
		rest = rest[n:]
	}
	if failed != nil {
		return places, fmt.Errorf("book: %w", failed)
	}
	return places, nil
}

// read stores the places of a reply.
func (g *group) read(places []Place) bool {
	v, err := g.call.cmd.Int64Slice()
	if err != nil || len(v) != 2+2*len(g.indexes) {
		return false
	}
	now, pitch := v[0], v[1]
	for i, index := range g.indexes {
		wait, length, p := v[2+2*i], v[3+2*i], &places[index]
		if p.At == 0 {
			p.Wait, p.At = micros(wait), now+wait
			if wait < pitch {
				p.Wait = 0
			}
		}
		p.length += length
	}
	return true
}

// groups divides bookings by operation and counts those in a row that are alike. Those of a flow
// stay in their order; flows alternate by weight, so that each finds the places of the others.
func (c *Calendar) groups(bookings []Booking) []*group {
	type share struct {
		operation Operation
		flow      Flow
	}
	used := map[share]int{}
	turns, order := make([]float64, len(bookings)), make([]int, len(bookings))
	for i, b := range bookings {
		s := share{b.Operation, b.Flow}
		order[i], turns[i] = i, float64(used[s])/float64(max(1, b.Flow.weight))
		used[s] += max(1, b.Calls)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(turns[a], turns[b]) })
	var all []*group
	open := map[Operation]*group{}
	for _, i := range order {
		b := bookings[i]
		g := open[b.Operation]
		if g == nil || len(g.indexes) >= scriptPlaces {
			g = &group{operation: b.Operation}
			open[b.Operation] = g
			all = append(all, g)
		}
		g.add(b, i)
	}
	return all
}

func (g *group) add(b Booking, index int) {
	calls := max(1, b.Calls)
	if n := len(g.bookings); n > 0 && g.last.Flow == b.Flow && g.last.Earliest == b.Earliest {
		count, _ := g.bookings[n-1].(int)
		g.bookings[n-1] = count + calls
	} else {
		g.bookings = append(g.bookings, b.Flow.field(), max(0, b.Earliest).Microseconds(), calls)
	}
	g.last = b
	for range calls {
		g.indexes = append(g.indexes, index)
	}
}

// span is time of a flow that is released. The length is 0 if it is unknown.
type span struct {
	key, field   string
	from, length int64
}

// Release releases places that were not needed, so that others get them. Its errors are ignored:
// a place that stays taken is lost, which is safe. It has the limits of Book.
func (c *Calendar) Release(ctx context.Context, bookings []Booking, places []Place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTrips*c.limit)
	defer cancel()
	var calls []*scriptCall
	for i, s := range spans(bookings, places) {
		if i == 0 || calls[len(calls)-1].key != s.key || len(calls[len(calls)-1].args) > 3*scriptSpans {
			calls = append(calls, &scriptCall{key: s.key, args: []any{calendarEntries}})
		}
		last := calls[len(calls)-1]
		last.args = append(last.args, s.field, s.from, s.length)
	}
	const perTrip = tripPlaces / scriptSpans
	for len(calls) > 0 {
		n := min(len(calls), perTrip)
		var reply redis.Error
		if err := c.trip(ctx, unbookScript, calls[:n]); err != nil && !errors.As(err, &reply) {
			return
		}
		calls = calls[n:]
	}
}

// spans returns the time of places, in order. Places next to each other are one span.
func spans(bookings []Booking, places []Place) []span {
	var all []span
	for i, p := range places {
		if p.At != 0 {
			all = append(all, span{bookings[i].Operation.calendarKey(), bookings[i].Flow.field(), p.At, p.length})
		}
	}
	slices.SortFunc(all, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.field, b.field), cmp.Compare(a.from, b.from))
	})
	merged := all[:0]
	for _, s := range all {
		if n := len(merged); n > 0 && s.length > 0 {
			m := &merged[n-1]
			if m.key == s.key && m.field == s.field && m.length > 0 && s.from <= m.from+m.length {
				m.length = max(m.length, s.from+s.length-m.from)
				continue
			}
		}
		merged = append(merged, s)
	}
	return merged
}

// scriptCall is one script of a round trip.
type scriptCall struct {
	key  string
	args []any
	cmd  *redis.Cmd
}

func (s *scriptCall) err() error { return s.cmd.Err() }

func (s *scriptCall) missing() bool { return redis.HasErrorPrefix(s.err(), "NOSCRIPT") }

// trip runs a script several times in one pipeline, and those again for which the server did not
// have the script. It returns the first error, if possible that of a Redis that does not answer.
func (c *Calendar) trip(ctx context.Context, script *redis.Script, calls []*scriptCall) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	for again := false; ; again = true {
		pipe := c.o.Redis.Pipeline()
		for _, s := range calls {
			if s.cmd == nil || s.missing() {
				s.cmd = script.EvalSha(ctx, pipe, []string{s.key}, s.args...)
			}
		}
		_, _ = pipe.Exec(ctx) // each command has its own error
		if again || !slices.ContainsFunc(calls, (*scriptCall).missing) {
			return worst(calls)
		}
		if err := script.Load(ctx, c.o.Redis).Err(); err != nil {
			return err
		}
	}
}

func worst(calls []*scriptCall) error {
	var first error
	var reply redis.Error
	for _, s := range calls {
		err := s.err()
		if err != nil && !errors.As(err, &reply) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}
