package tebra

import (
	"context"
	"encoding/xml"
	"errors"
	"iter"
)

// ErrPartial ends the rows of a list that reached the vendor's cap of 10,000 rows: there may be more, and what is missing
// is not gone. It follows the last row; narrow the request to see the rest.
var ErrPartial = errors.New("tebra: list reached the vendor's cap")

// listing is a filtered read, whose rows are handed on one by one as they arrive.
type listing[T any] struct {
	op         *Operation
	item       string                                // what the vendor calls a row
	write      func(*writer)                         // the members after the header
	zones      zonePair                              // the zero clock is UTC
	decode     func(*reader) (T, error)              // reads one row
	hasID      func(*T) bool                         // the row has an identifier; one without stands for an empty list
	hasContent func(*T) bool                         // a row without an identifier is a record all the same; nil where none would be missed
	readOther  func(*reader, xml.StartElement) error // reads other members of the result; nil passes them over
	validate   func(partial bool) (Code, string)     // the last word, as that of call; nil accepts
}

// each calls fn with every row until fn returns false. Nothing that fn saw counts unless each returns without an error: the
// vendor's verdict comes first as a rule, but an answer may be cut behind any row.
func (l *listing[T]) each(ctx context.Context, c *Client, fn func(T) bool) (partial bool, err error) {
	limit := maxRows
	if l.op.PageRows > 0 {
		limit = l.op.PageRows + 1 // a full page is whole, and a longer one is none
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
				return malformedError("id") // left out it would look deleted
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

// all collects the rows.
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

// seq makes one call per iteration and yields the rows as they arrive. An error is the last thing it yields.
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
