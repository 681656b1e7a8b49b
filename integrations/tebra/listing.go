package tebra

import (
	"context"
	"encoding/xml"
	"errors"
	"iter"
	"time"
)

// ErrPartial ends the iteration over a list that is not complete: it reached the vendor's limit of
// 10,000 rows, or contains rows that could not be read. It follows the last row. There may be more
// rows, and rows that are missing have not necessarily been deleted. If rows could not be read, it
// is in the chain of an IncompleteError.
var ErrPartial = errors.New("tebra: list is not complete")

// IncompleteError is the ErrPartial of a list with rows that could not be read.
type IncompleteError struct {
	Partial  bool       // the list also reached the vendor's row limit
	SetAside []SetAside // at least one
}

// Error returns a text without any content of the rows.
func (*IncompleteError) Error() string { return "tebra: list contains rows that cannot be read" }

// Unwrap returns ErrPartial.
func (*IncompleteError) Unwrap() error { return ErrPartial }

// listing is a filtered read that passes rows on one by one as they arrive. R is what the columns
// of a row are read into, and T what the caller receives.
type listing[R, T any] struct {
	op      *Operation
	item    string        // the vendor's name of a row element
	write   func(*writer) // writes the members after the header
	zones   zonePair      // the zero value is UTC
	columns *record[R]
	finish  func(*R) T
	hasID   func(*R) bool // false for the placeholder row of an empty list
	// hasContent reports that a row without an identifier has data, so it is not a placeholder. It
	// is nil where skipping such a row does no harm.
	hasContent func(*R) bool
	// span returns SetAside.Start and SetAside.End; nil if there are none. unread is as in Unread.
	span func(row *R, unread []string) (start, end time.Time)
	// Reads other members of the result; nil skips them.
	readOther func(*reader, xml.Name) error
	validate  func(partial bool) (Code, string) // as in call; nil accepts every response
}

// itself is the finish of a listing whose rows are read directly.
func itself[T any](row *T) T { return *row }

// collected is what a call returned besides the rows.
type collected struct {
	partial    bool
	setAside   []SetAside
	authorized []string
}

// each calls fn with every row until fn returns false. Rows count only if each returns without an
// error: errors normally precede the rows, but a response may be truncated after any row.
func (l *listing[R, T]) each(ctx context.Context, c *Client, fn func(T) bool) (collected, error) {
	limit := maxRows
	if l.op.PageRows > 0 {
		limit = l.op.PageRows + 1 // a full page is allowed, a longer one is not
	}
	d := delivery[R, T]{listing: l, fn: fn}
	err := c.call(ctx, l.op, l.write, func(r *reader, el xml.Name) error {
		if el.Local != l.op.payload {
			if l.readOther != nil {
				return l.readOther(r, el)
			}
			return nil
		}
		if l.zones.wire != nil {
			r.zones = l.zones
		}
		err := r.list(l.item, limit, func(known bool) error { return d.read(r, known) })
		d.partial, d.authorized = r.atLimit, r.practices
		if err == nil || errors.Is(err, errRowLimit) {
			if lateErr := d.flush(r); lateErr != nil {
				err = lateErr
			}
		}
		return err
	}, func() (Code, string) {
		if l.validate == nil {
			return "", ""
		}
		return l.validate(d.partial)
	})
	if err != nil {
		return collected{}, err
	}
	return d.collected, nil
}

// delivery passes the rows of one response on.
type delivery[R, T any] struct {
	*listing[R, T]
	collected
	fn      func(T) bool
	waiting []draft[R] // until other rows show how their times are read
}

// draft is a row that has been read in part.
type draft[R any] struct {
	row R
	problems
}

// read reads the current element. What is no row, be it an element or stray text, is set aside: if
// it were skipped, the list would appear to be shorter, or empty.
func (d *delivery[R, T]) read(r *reader, known bool) error {
	if !known {
		d.putAside(r, SetAside{Reason: SetAsideRow})
		return nil
	}
	var row draft[R]
	var err error
	if row.problems, err = d.columns.read(r, &row.row); err != nil {
		return err
	}
	if len(row.later) > 0 {
		d.waiting = append(d.waiting, row)
		return nil
	}
	return d.deliver(r, &row)
}

// flush passes on the rows that waited.
func (d *delivery[R, T]) flush(r *reader) error {
	how := r.clock.decide()
	if how == undecided {
		how = twelve
	}
	for i := range d.waiting {
		row := &d.waiting[i]
		d.columns.setLater(r, &row.row, &row.problems, how)
		if err := d.deliver(r, row); err != nil {
			return err
		}
	}
	return nil
}

// deliver passes a row on, sets it aside, or skips it if it is a placeholder.
func (d *delivery[R, T]) deliver(r *reader, row *draft[R]) error {
	if d.hasID(&row.row) {
		r.found++
	}
	if !d.hasID(&row.row) && (d.hasContent != nil && d.hasContent(&row.row) || len(row.unread) > 0) {
		row.setAside(SetAsideID)
	}
	switch {
	case row.aside != "":
		aside := SetAside{Reason: row.aside}
		if d.span != nil {
			aside.Start, aside.End = d.span(&row.row, row.unread)
		}
		d.putAside(r, aside)
	case d.hasID(&row.row):
		if len(row.unread) > 0 && d.columns.unread != nil {
			r.unread++
			*d.columns.unread(&row.row) = row.unread
		}
		if !d.fn(d.finish(&row.row)) {
			return errStopped
		}
	}
	return nil
}

func (d *delivery[R, T]) putAside(r *reader, row SetAside) {
	r.setAside++
	d.setAside = append(d.setAside, row)
}

// rowsOf is a whole list.
type rowsOf[T any] struct {
	collected
	rows []T
}

// all returns all rows.
func (l *listing[R, T]) all(ctx context.Context, c *Client) (all rowsOf[T], err error) {
	all.collected, err = l.each(ctx, c, func(row T) bool {
		all.rows = append(all.rows, row)
		return true
	})
	if err != nil {
		return rowsOf[T]{}, err
	}
	return all, nil
}

// list is all for lists without other members.
func (l *listing[R, T]) list(ctx context.Context, c *Client) (List[T], error) {
	all, err := l.all(ctx, c)
	return List[T]{Rows: all.rows, Partial: all.partial, SetAside: all.setAside}, err
}

// failedSeq returns an iterator that yields only err.
func failedSeq[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}

// seq returns an iterator that makes one call per iteration and yields rows as they arrive. An
// error is the last element.
func (l *listing[R, T]) seq(ctx context.Context, c *Client) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		stopped := false
		rest, err := l.each(ctx, c, func(row T) bool {
			stopped = !yield(row, nil)
			return !stopped
		})
		switch {
		case stopped:
		case err != nil:
			yield(none, err)
		case len(rest.setAside) > 0:
			yield(none, &IncompleteError{Partial: rest.partial, SetAside: rest.setAside})
		case rest.partial:
			yield(none, ErrPartial)
		}
	}
}
