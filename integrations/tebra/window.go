package tebra

import (
	"context"
	"iter"
	"time"
)

// Window is the part of a range of days that one call answered.
type Window[T any] struct {
	From, To time.Time // its first and last day, as midnights in UTC: they are days of the calendar, not moments
	Rows     []T
	Partial  bool // one single day reached the vendor's cap: there may be more rows, and no way to ask for them
}

// Windows returns the appointments of a range of up to 200 years, window by window in the order of days. It splits what the
// vendor would refuse, and what it would cut: a window that comes back partial is asked for again in halves, down to one day.
// The range is that of the visits, or that of the changes when the request names no visits.
//
// When a call fails, Windows yields that error with an empty window that says which days it was about, and ends: everything
// before it was answered, and a request from its From on resumes there. A Gate that says "not now" ends it the same way.
func (s *AppointmentsService) Windows(ctx context.Context, req ListAppointmentsRequest) iter.Seq2[Window[Appointment], error] {
	op := &opGetAppointments
	if reason := req.check(maxRangeDays); reason != "" {
		return invalidWindow[Appointment](op, reason)
	}
	visits := !req.From.IsZero()
	from, to := req.From, req.To
	if !visits {
		from, to = req.ModifiedFrom, req.ModifiedTo
	}
	return readWindows(from, to, op.MaxDays, func(first, last time.Time) ([]Appointment, bool, error) {
		part := req
		if visits {
			part.From, part.To = first, last
		} else {
			part.ModifiedFrom, part.ModifiedTo = first, last
		}
		list, err := s.List(ctx, part)
		return list.Rows, list.Partial, err
	})
}

// Windows returns the patients of a range of up to 200 years, window by window, as Appointments.Windows does. The range is
// that of the changes, or that of the records' making when the request names no changes; it needs one of the two.
func (s *PatientsService) Windows(ctx context.Context, req ListPatientsRequest) iter.Seq2[Window[Patient], error] {
	op := &opGetPatients
	changes := !req.ModifiedFrom.IsZero() || !req.ModifiedTo.IsZero()
	from, to := req.ModifiedFrom, req.ModifiedTo
	if !changes {
		from, to = req.CreatedFrom, req.CreatedTo
	}
	if from.IsZero() || to.IsZero() || days(from, to) < 1 || days(from, to) > maxRangeDays {
		return invalidWindow[Patient](op, "range")
	}
	return readWindows(from, to, maxRangeDays, func(first, last time.Time) ([]Patient, bool, error) {
		part := req
		if changes {
			part.ModifiedFrom, part.ModifiedTo = first, last
		} else {
			part.CreatedFrom, part.CreatedTo = first, last
		}
		list, err := s.List(ctx, part)
		return list.Rows, list.Partial, err
	})
}

// maxSpan bounds a range in days. Nobody has records of 200 years.
const maxRangeDays = 200 * 366

func invalidWindow[T any](op *Operation, reason string) iter.Seq2[Window[T], error] {
	return func(yield func(Window[T], error) bool) { yield(Window[T]{}, invalidRequest(op, reason)) }
}

// walk asks for the days from first to last, at most so many at a time, and for fewer where an answer is partial. It counts
// in days of UTC, which all exist: a zone that skips a midnight would give a day twice.
func readWindows[T any](first, last time.Time, maxDays int, fetch func(first, last time.Time) ([]T, bool, error)) iter.Seq2[Window[T], error] {
	return func(yield func(Window[T], error) bool) {
		size := min(maxDays, days(first, last))
		for next := day(first); days(next, last) >= 1; {
			n := min(size, days(next, last))
			end := next.AddDate(0, 0, n-1)
			rows, partial, err := fetch(next, end)
			switch {
			case err != nil:
				yield(Window[T]{From: next, To: end}, err)
				return
			case partial && n > 1:
				size = (n + 1) / 2 // what is dense here is taken to be dense further on
				continue
			case !yield(Window[T]{From: next, To: end, Rows: rows, Partial: partial}, nil):
				return
			case len(rows) < maxRows/4:
				size = min(maxDays, 2*size)
			}
			next = end.AddDate(0, 0, 1)
		}
	}
}
