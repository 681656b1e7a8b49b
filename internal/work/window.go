package work

import (
	"iter"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
)

// window is the part of a range of days that a run applies. The vendor client decides how long it is: a range that the
// vendor would reject or cut is read in smaller windows. What follows the first window is the work of other runs, so that
// its progress is kept.
type window[T any] struct {
	from, to civil.Date
	rows     []T
	partial  bool // a single day that the vendor cut
}

// firstWindow returns the first window of a range. With an error the window has the days that the failed call was about.
func firstWindow[T any](windows iter.Seq2[tebra.Window[T], error]) (window[T], error) {
	next, stop := iter.Pull2(windows)
	defer stop()
	w, err, _ := next()
	return window[T]{from: civil.DateOf(w.From), to: civil.DateOf(w.To), rows: w.Rows, partial: w.Partial}, err
}

// cut reports whether the vendor has cut wider windows of the range from the same day on, up to the last day.
func (w *window[T]) cut(last civil.Date, operation string) bool {
	widest := w.from.Days(last)
	if limit := policy(operation).MaxDays; limit > 0 {
		widest = min(widest, limit-1)
	}
	return w.from.Days(w.to) < widest
}

func policy(operation string) tebra.Operation {
	for _, op := range tebra.Operations() {
		if op.Name == operation {
			return op
		}
	}
	panic("work: no operation " + operation) //nolint:forbidigo // the policy table is part of the program
}
