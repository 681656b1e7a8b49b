package tebra

import (
	"context"
	"iter"
	"time"
)

// Window is the part of a range of days that one call answered.
type Window[T any] struct {
	From, To time.Time // its first and last day
	Rows     []T
	Partial  bool // one single day reached the vendor's cap: there may be more rows, and no way to ask for them
}

// Windows returns the appointments of a range of any length, window by window in the order of days. It splits what the vendor
// would refuse, and what it would cut: a window that comes back partial is asked for again in halves, down to one day.
// The range is that of the visits, or that of the changes when the request names no visits.
//
// When a call fails, Windows yields that error with an empty window that says which days it was about, and ends: everything
// before it was answered, and a request from its From on resumes there. A Gate that says "not now" ends it the same way.
func (s *AppointmentsService) Windows(ctx context.Context, req ListAppointmentsRequest) iter.Seq2[Window[Appointment], error] {
	op := &opGetAppointments
	from, to := &req.From, &req.To
	if req.From.IsZero() && req.To.IsZero() {
		from, to = &req.ModifiedFrom, &req.ModifiedTo
	}
	if reason := req.check(anyLength); reason != "" {
		return refused[Appointment](op, reason)
	}
	return walk(*from, *to, op.MaxDays, func(first, last time.Time) ([]Appointment, bool, error) {
		*from, *to = first, last
		list, err := s.List(ctx, req)
		return list.Rows, list.Partial, err
	})
}

// Windows returns the patients of a range of any length, window by window, as Appointments.Windows does. The range is that of
// the changes, or that of the records' making when the request names no changes; it needs one of the two.
func (s *PatientsService) Windows(ctx context.Context, req ListPatientsRequest) iter.Seq2[Window[Patient], error] {
	op := &opGetPatients
	from, to := &req.ModifiedFrom, &req.ModifiedTo
	if from.IsZero() && to.IsZero() {
		from, to = &req.CreatedFrom, &req.CreatedTo
	}
	if from.IsZero() || to.IsZero() || days(*from, *to) < 1 {
		return refused[Patient](op, "range")
	}
	return walk(*from, *to, anyLength, func(first, last time.Time) ([]Patient, bool, error) {
		*from, *to = first, last
		list, err := s.List(ctx, req)
		return list.Rows, list.Partial, err
	})
}

// anyLength is a range that no rule about length refuses: as many days as there are dates that rows can have.
const anyLength = 366 * 300

func refused[T any](op *Operation, reason string) iter.Seq2[Window[T], error] {
	return func(yield func(Window[T], error) bool) { yield(Window[T]{}, refuse(op, reason)) }
}

// walk asks for the days from first to last, at most so many at a time, and for fewer where an answer is partial.
func walk[T any](first, last time.Time, most int, ask func(first, last time.Time) ([]T, bool, error)) iter.Seq2[Window[T], error] {
	return func(yield func(Window[T], error) bool) {
		size := min(most, days(first, last))
		for at := first; days(at, last) >= 1; {
			n := min(size, days(at, last))
			end := at.AddDate(0, 0, n-1)
			rows, partial, err := ask(at, end)
			switch {
			case err != nil:
				yield(Window[T]{From: at, To: end}, err)
				return
			case partial && n > 1:
				size = (n + 1) / 2 // what is dense here is taken to be dense further on
				continue
			case !yield(Window[T]{From: at, To: end, Rows: rows, Partial: partial}, nil):
				return
			}
			at = end.AddDate(0, 0, 1)
		}
	}
}
