package work

import (
	"iter"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
)

// window is the part of a range of days that one run applies. The vendor client decides how long it
// is: if the vendor would reject or cut a range, the client reads it in smaller windows. Other runs
// read the days after the first window, so that a failure there does not undo its progress.
type window[T any] struct {
	from, to civil.Date
	seen     civil.Date // the first day of the request, before from
	rows     []T
	aside    []tebra.SetAside
	// authorized are the practices that the login may read, if the vendor states that.
	authorized []string
	partial    bool // the vendor cut a single day, whose other rows cannot be requested
}

// firstWindow returns the first window of a range. If the call fails, the window has the days that
// the call requested, and no rows.
func firstWindow[T any](windows iter.Seq2[tebra.Window[T], error]) (window[T], error) {
	next, stop := iter.Pull2(windows)
	defer stop()
	w, err, _ := next()
	return window[T]{
		from: civil.DateOf(w.From), to: civil.DateOf(w.To), seen: civil.DateOf(w.Seen),
		rows: w.Rows, aside: w.SetAside, authorized: w.Authorized, partial: w.Partial,
	}, err
}

// cut reports whether the window is smaller than the operation allows for a range that ends on
// last: the vendor has then cut wider windows that start on the same day.
func (w *window[T]) cut(last civil.Date, operation string) bool {
	widest := w.from.Days(last)
	if limit := policy(operation).MaxDays; limit > 0 {
		widest = min(widest, limit-1-w.seen.Days(w.from))
	}
	return w.from.Days(w.to) < widest
}

// policy returns the vendor client's description of an operation. It panics if there is none.
func policy(operation string) tebra.Operation {
	for _, op := range tebra.Operations() {
		if op.Name == operation {
			return op
		}
	}
	panic("work: no operation " + operation) //nolint:forbidigo // the policy table is part of the program
}
