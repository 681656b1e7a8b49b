package budget

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"hash/fnv"
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
	// tripPlaces is how many places one script books.
	tripPlaces = 500
)

// The weights of the shares of tasks; that of refused calls is 1.
const (
	PromptWeight = 8 // of the lanes of documents that become stale
	LateWeight   = 4 // of the others, such as views that are built before a reader requests them
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

// Place is a place on a calendar. The zero value is none.
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
	cmd       *redis.Cmd
	last      Booking
}

// Book takes a place for each booking, in one round trip. After an error there may be no place for
// any of them; a caller then goes on without one. It takes at most a quarter of a second.
func (c *Calendar) Book(ctx context.Context, bookings []Booking) ([]Place, error) {
	ctx, cancel := context.WithTimeout(ctx, calendarLimit)
	defer cancel()
	groups := c.groups(bookings)
	err := c.trip(ctx, bookScript, func(pipe redis.Pipeliner) []*redis.Cmd {
		cmds := make([]*redis.Cmd, len(groups))
		for i, g := range groups {
			g.cmd = bookScript.EvalSha(ctx, pipe, []string{g.operation.calendarKey()}, c.bookArgs(g.operation, g.bookings...)...)
			cmds[i] = g.cmd
		}
		return cmds
	})
	if err != nil {
		return nil, fmt.Errorf("book: %w", err)
	}
	places := make([]Place, len(bookings))
	for _, g := range groups {
		v, err := g.cmd.Int64Slice()
		if err != nil || len(v) != 2+2*len(g.indexes) {
			return nil, errors.New("book: unknown reply")
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
	}
	return places, nil
}

// groups divides bookings by operation, in their order, and counts those in a row that are alike.
func (c *Calendar) groups(bookings []Booking) []*group {
	var all []*group
	open := map[Operation]*group{}
	for i, b := range bookings {
		g := open[b.Operation]
		if g == nil || len(g.indexes) >= tripPlaces {
			g = &group{operation: b.Operation}
			open[b.Operation] = g
			all = append(all, g)
		}
		calls := max(1, b.Calls)
		if n := len(g.bookings); n > 0 && g.last.Flow == b.Flow && g.last.Earliest == b.Earliest {
			count, _ := g.bookings[n-1].(int)
			g.bookings[n-1] = count + calls
		} else {
			g.bookings = append(g.bookings, b.Flow.field(), max(0, b.Earliest).Microseconds(), calls)
		}
		g.last = b
		for range calls {
			g.indexes = append(g.indexes, i)
		}
	}
	return all
}

// Release gives places back that were not needed, so that others get them. Its errors are ignored:
// a place that stays taken is lost, which is safe. It takes at most a quarter of a second.
func (c *Calendar) Release(ctx context.Context, bookings []Booking, places []Place) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), calendarLimit)
	defer cancel()
	args := map[Operation][]any{}
	for i, p := range places {
		if p.At == 0 {
			continue
		}
		op := bookings[i].Operation
		if args[op] == nil {
			args[op] = []any{calendarEntries}
		}
		args[op] = append(args[op], bookings[i].Flow.field(), p.At, p.length)
	}
	if len(args) == 0 {
		return
	}
	_ = c.trip(ctx, unbookScript, func(pipe redis.Pipeliner) (cmds []*redis.Cmd) {
		for op, a := range args {
			cmds = append(cmds, unbookScript.EvalSha(ctx, pipe, []string{op.calendarKey()}, a...))
		}
		return cmds
	})
}

// trip sends scripts in one pipeline, and once more if the server did not have the script.
func (c *Calendar) trip(ctx context.Context, script *redis.Script, send func(redis.Pipeliner) []*redis.Cmd) error {
	for again := false; ; again = true {
		pipe := c.o.Redis.Pipeline()
		cmds := send(pipe)
		_, _ = pipe.Exec(ctx) // each command has its own error
		var missing bool
		for _, cmd := range cmds {
			switch err := cmd.Err(); {
			case err == nil:
			case redis.HasErrorPrefix(err, "NOSCRIPT") && !again:
				missing = true
			default:
				return err
			}
		}
		if !missing {
			return nil
		}
		if err := script.Load(ctx, c.o.Redis).Err(); err != nil {
			return err
		}
	}
}
