package tebra

import (
	"context"
	"iter"
	"time"
)

// Window is the part of a date range that one call returned.
type Window[T any] struct {
	// From and To are the first and last day, as midnight UTC. They are calendar days, not
	// instants.
	From, To time.Time
	// Seen is the first day of the request: From, or earlier by the days of Lookback.
	// If the vendor cuts the list of a single day and its lookback, the lookback is reduced to an
	// eighth, and in the end to nothing.
	Seen time.Time
	Rows []T
	// Partial reports that a single day reached the vendor's row limit: there may be more rows, and
	// they cannot be requested.
	Partial bool
	// SetAside lists the rows that could not be read, as in Appointments.
	SetAside []SetAside
	// Authorized is that of Appointments.
	Authorized []string
}

// Windows returns the appointments of a range of up to 200 years, window by window in the order of
// days. It splits ranges that the vendor would reject or truncate: a partial window is requested
// again in halves, down to a single day. The range is From to To, or ModifiedFrom to ModifiedTo if
// the request has no From.
//
// If a call fails or the Gate refuses it, Windows yields the error with an empty window that states
// the days concerned, and ends. All earlier windows are complete; to resume, start a request at the
// failed window's From. An invalid request yields one Invalid error.
func (s *AppointmentsService) Windows(ctx context.Context, req ListAppointmentsRequest) iter.Seq2[Window[Appointment], error] {
	op := &opGetAppointments
	if reason := req.check(maxRangeDays); reason != "" {
		return failedSeq[Window[Appointment]](invalidRequest(op, reason))
	}
	visits := !req.From.IsZero()
	from, to := req.From, req.To
	if !visits {
		from, to = req.ModifiedFrom, req.ModifiedTo
	}
	lookback := 0
	if visits {
		lookback = req.Lookback
	}
	return readWindows(from, to, op.MaxDays, lookback, func(first, last time.Time) (rowsOf[Appointment], error) {
		part := req
		if visits {
			part.From, part.To = first, last
		} else {
			part.ModifiedFrom, part.ModifiedTo = first, last
		}
		list, err := s.List(ctx, part)
		return rowsOf[Appointment]{collected{list.Partial, list.SetAside, list.Authorized}, list.Rows}, err
	})
}

// Windows returns the patients of a range of up to 200 years, window by window, like
// AppointmentsService.Windows. The range is ModifiedFrom to ModifiedTo, or CreatedFrom to CreatedTo
// if the request has no modification dates; one of the two is required.
func (s *PatientsService) Windows(ctx context.Context, req ListPatientsRequest) iter.Seq2[Window[Patient], error] {
	op := &opGetPatients
	changes := !req.ModifiedFrom.IsZero() || !req.ModifiedTo.IsZero()
	from, to := req.ModifiedFrom, req.ModifiedTo
	if !changes {
		from, to = req.CreatedFrom, req.CreatedTo
	}
	if from.IsZero() || to.IsZero() || days(from, to) < 1 || days(from, to) > maxRangeDays {
		return failedSeq[Window[Patient]](invalidRequest(op, "range"))
	}
	return readWindows(from, to, maxRangeDays, 0, func(first, last time.Time) (rowsOf[Patient], error) {
		part := req
		if changes {
			part.ModifiedFrom, part.ModifiedTo = first, last
		} else {
			part.CreatedFrom, part.CreatedTo = first, last
		}
		list, err := s.List(ctx, part)
		return rowsOf[Patient]{collected{list.Partial, list.SetAside, list.Authorized}, list.Rows}, err
	})
}

// maxRangeDays limits a range. No practice has records of 200 years.
const maxRangeDays = 200 * 366

// readWindows fetches the days from first to last, at most maxDays at a time, and fewer where a
// response is partial. Each window is fetched together with the lookback days before it, or fewer
// if that makes the response of a single day partial. It counts days in UTC, where every day
// exists: in a zone that skips a midnight a day would be returned twice.
func readWindows[T any](first, last time.Time, maxDays, lookback int, fetch func(first, last time.Time) (rowsOf[T], error)) iter.Seq2[Window[T], error] {
	return func(yield func(Window[T], error) bool) {
		maxDays, lookback := maxDays-lookback, lookback // the iterator may run again, and concurrently
		size := min(maxDays, days(first, last))
		for next := day(first); days(next, last) >= 1; {
			n := min(size, days(next, last))
			end := next.AddDate(0, 0, n-1)
			seen := next.AddDate(0, 0, -lookback)
			all, err := fetch(seen, end)
			switch {
			case err != nil:
				yield(Window[T]{From: next, To: end, Seen: seen}, err)
				return
			case all.partial && n == 1 && lookback > 0:
				lookback /= 8
				continue
			case all.partial && n > 1:
				size = (n + 1) / 2 // the following days are assumed to be as busy
				continue
			case !yield(Window[T]{From: next, To: end, Seen: seen, Rows: all.rows, Partial: all.partial, SetAside: all.setAside, Authorized: all.authorized}, nil):
				return
			case len(all.rows) < maxRows/4:
				size = min(maxDays, 2*size)
			}
			next = end.AddDate(0, 0, 1)
		}
	}
}
