package budget

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	calendarSpace   = "f1c"                  // of keys, apart from the pace's: those who enqueue write them
	calendarLimit   = 250 * time.Millisecond // for one round trip: a task can always go unbooked
	calendarEntries = 32                     // of one flow: its runs of places without a gap
	calendarIdle    = 30 * time.Second       // after which unused places are given up
)

var (
	//go:embed lua/book.lua
	bookSource string

	bookScript = redis.NewScript(marginSource + bookSource)
)

func (o Operation) calendarKey() string { return o.Tenant.Key(calendarSpace, "b", o.Name) }

// Calendar books background work: it says when a call of an operation has a place in the vendor's
// budget. A place is advice and no slot; the Pace alone decides. It starts no goroutine and needs
// no closing. It is safe for concurrent use.
type Calendar struct {
	o     Options
	limit time.Duration // for one round trip
}

// NewCalendar returns a Calendar. It does not connect to Redis yet.
func NewCalendar(o Options) (*Calendar, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	return &Calendar{o: o, limit: calendarLimit}, nil
}

// Return books a place for a call that was refused: the next free one that is at least earliest
// from now. Such calls have places of their own, next to those of the others, so they come back
// near their former places and not behind all others. It returns how long to wait.
func (c *Calendar) Return(ctx context.Context, op Operation, earliest time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	v, err := bookScript.Run(ctx, c.o.Redis, []string{op.calendarKey()},
		c.bookArgs(op, flowReturned, max(earliest, 0).Microseconds(), 1)...).Int64Slice()
	switch {
	case err != nil:
		return 0, fmt.Errorf("book: %w", err)
	case len(v) != 4:
		return 0, errors.New("book: unknown reply")
	}
	return micros(v[2]), nil
}

// flowReturned is the flow of calls that were refused.
const flowReturned = "1:returned"

// bookArgs returns the arguments of book.lua.
func (c *Calendar) bookArgs(op Operation, bookings ...any) []any {
	return append([]any{
		op.Interval.Microseconds(), c.o.MinMargin.Microseconds(), firstMille, leastMille, marginLife.Microseconds(),
		op.key(), c.o.Horizon.Microseconds(), calendarEntries, calendarIdle.Microseconds(), keyLife.Milliseconds(),
	}, bookings...)
}
