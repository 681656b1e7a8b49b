package budget

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Line is what comes before a place on the calendar of an operation.
type Line struct {
	State
	// Before is how many calls have places from now until then, about: those of each flow count,
	// and the places of tasks that have moved count too.
	Before int
	// Pitch is the distance of two places.
	Pitch time.Duration
}

// Line reads the calls of an operation that have places before one that is so far from now. It
// changes nothing, and costs three round trips.
func (p *Pace) Line(ctx context.Context, op Operation, place time.Duration) (Line, error) {
	s, err := p.state(ctx, op)
	if err != nil {
		return Line{}, err
	}
	b, err := p.bookings(ctx, op)
	if err != nil {
		return Line{}, err
	}
	return Line{State: s, Before: int((b.until(place.Microseconds()) + s.pitch()/2) / s.pitch()), Pitch: micros(s.pitch())}, nil
}

// state reads the budget of an operation, which may never have been used.
func (p *Pace) state(ctx context.Context, op Operation) (State, error) {
	states, err := p.States(ctx, op)
	if err != nil {
		return State{}, err
	}
	if len(states) == 1 {
		return states[0], nil
	}
	s := State{Tenant: op.Tenant, Operation: op.Name}
	s.Interval, s.Margin = p.spacing(redisconn.Snapshot{}, op.Interval)
	s.Spacing = s.Interval + s.Margin
	return s, nil
}

// until returns how much of the time from now until a time is taken by places, in microseconds.
// Flows that have places at the same time share it.
func (b taken) until(end int64) int64 {
	var runs [][2]int64
	for _, list := range b {
		runs = append(runs, list...)
	}
	slices.SortFunc(runs, func(x, y [2]int64) int { return cmp.Compare(x[0], y[0]) })
	sum, reached := int64(0), int64(0)
	for _, run := range runs {
		from, to := max(run[0], reached), min(run[1], end)
		if to > from {
			sum, reached = sum+to-from, to
		}
	}
	return sum
}
