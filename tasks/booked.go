package tasks

import (
	"context"
	"reflect"
	"time"

	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// booked are the places that the demands of one batch have on their operations' calendars.
type booked struct {
	calendar *budget.Calendar
	bookings []budget.Booking
	places   []budget.Place
	indexes  []int // of the demands
}

// book takes places for those of the demands that no person waits for and whose kind calls the
// vendor. Those for which that fails go without: a worker then finds that it is too early.
func (c *Client) book(ctx context.Context, owner string, demands []queue.Demand, args []Args) booked {
	b := booked{calendar: c.calendar}
	id, err := tenant.Parse(owner)
	if err != nil {
		return booked{}
	}
	now := time.Now() // one for all, so that equal demands have equal times
	for i := range demands {
		d := &demands[i]
		kind, ok := FindKind(d.Kind)
		interval := budget.Documented(kind.Operation)
		if !ok || interval == 0 || queue.IsInteractive(d.Lane) {
			continue
		}
		b.bookings = append(b.bookings, budget.Booking{
			Operation: budget.Operation{Tenant: id, Name: kind.Operation, Interval: interval},
			Flow:      flowOf(d.Lane, args[i]), Calls: kind.Calls, Earliest: earliest(d.At, now),
		})
		b.indexes = append(b.indexes, i)
	}
	if len(b.bookings) == 0 {
		return booked{}
	}
	b.places, _ = c.calendar.Book(ctx, b.bookings)
	for i, p := range b.places {
		if p.At != 0 {
			d := &demands[b.indexes[i]]
			d.Booked, d.Wait = true, p.Wait
		}
	}
	return b
}

// earliest returns how long from now a demand's task may run at the earliest.
func earliest(at, now time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(0, ceilSecond(at).Sub(now))
}

// flowOf returns the share that a task of the lane belongs to. Each practice has its own.
func flowOf(lane string, a Args) budget.Flow {
	practice := ""
	if v := reflect.ValueOf(a); v.Kind() == reflect.Struct {
		if f := v.FieldByName("Practice"); f.IsValid() && f.Kind() == reflect.String {
			practice = f.String()
		}
	}
	return budget.NewFlow(queue.BudgetWeight(lane), practice)
}

// release releases the places that the demands turned out not to need: those of demands that
// joined a task, and of tasks that took a better one. A demand without a receipt may have been
// accepted; its place is released too, because two tasks for one place do no harm.
func (b booked) release(ctx context.Context, receipts []queue.Receipt) {
	var bookings []budget.Booking
	var places []budget.Place
	for i, p := range b.places {
		switch r := receipts[b.indexes[i]]; {
		case r.Unneeded || r.ID == "":
		case r.Former != 0:
			p = budget.Place{At: r.Former}
		default:
			continue
		}
		bookings, places = append(bookings, b.bookings[i]), append(places, p)
	}
	if len(places) > 0 {
		b.calendar.Release(ctx, bookings, places)
	}
}
