package tebra

import (
	"context"
	"encoding/xml"
	"errors"
	"iter"
)

// ErrPartial ends the iteration over a list that reached the vendor's limit of 10,000 rows. It
// follows the last row. There may be more rows, and rows that are missing have not necessarily been
// deleted; narrow the request to read the rest.
var ErrPartial = errors.New("tebra: list reached the vendor's row limit")

// listing is a filtered read that passes rows on one by one as they arrive.
type listing[T any] struct {
	op     *Operation
	item   string                   // the vendor's name of a row element
	write  func(*writer)            // writes the members after the header
	zones  zonePair                 // the zero value is UTC
	decode func(*reader) (T, error) // reads one row
	hasID  func(*T) bool            // false for the placeholder row of an empty list
	// hasContent reports that a row without an identifier has data, so it is not a placeholder. It
	// is nil where skipping such a row does no harm.
	hasContent func(*T) bool
	// Reads other members of the result; nil skips them.
	readOther func(*reader, xml.StartElement) error
	validate  func(partial bool) (Code, string) // as in call; nil accepts every response
}

// each calls fn with every row until fn returns false. Rows count only if each returns without an
// error: errors normally precede the rows, but a response may be truncated after any row.
func (l *listing[T]) each(ctx context.Context, c *Client, fn func(T) bool) (partial bool, err error) {
	limit := maxRows
	if l.op.PageRows > 0 {
		limit = l.op.PageRows + 1 // a full page is allowed, a longer one is not
	}
	err = c.call(ctx, l.op, l.write, func(r *reader, el xml.StartElement) error {
		if el.Name.Local != l.op.payload {
			if l.readOther != nil {
				return l.readOther(r, el)
			}
			return nil
		}
		if l.zones.wire != nil {
			r.zones = l.zones
		}
		err := r.list(l.item, limit, func() error {
			row, err := l.decode(r)
			if err != nil {
				return err
			}
			switch {
			case l.hasID(&row):
				if !fn(row) {
					return errStopped
				}
			case l.hasContent != nil && l.hasContent(&row):
				return malformedError("id") // a skipped row would appear to be deleted
			}
			return nil
		})
		partial = r.atLimit
		return err
	}, func() (Code, string) {
		if l.validate == nil {
			return "", ""
		}
		return l.validate(partial)
	})
	return partial && err == nil, err
}

// all returns all rows.
func (l *listing[T]) all(ctx context.Context, c *Client) (rows []T, partial bool, err error) {
	partial, err = l.each(ctx, c, func(row T) bool {
		rows = append(rows, row)
		return true
	})
	if err != nil {
		return nil, false, err
	}
	return rows, partial, nil
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
func (l *listing[T]) seq(ctx context.Context, c *Client) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		stopped := false
		partial, err := l.each(ctx, c, func(row T) bool {
			stopped = !yield(row, nil)
			return !stopped
		})
		switch {
		case stopped:
		case err != nil:
			yield(none, err)
		case partial:
			yield(none, ErrPartial)
		}
	}
}
