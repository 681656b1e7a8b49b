package tebra

import (
	"context"
	"encoding/xml"
)

// single is a call whose response contains one record.
type single[T any] struct {
	op         *Operation
	write      func(*writer) // writes the members after the header
	zones      zonePair      // the zero value is UTC
	columns    *record[T]
	hasID      func(*T) bool           // false if the vendor returns no record
	hasContent func(*T) bool           // a record without an identifier has data
	validate   func(*T) (Code, string) // as in call
}

// read makes the call and returns the record. A record that cannot be identified is Malformed.
func (s *single[T]) read(ctx context.Context, c *Client) (*T, error) {
	var row T
	var p problems
	err := c.call(ctx, s.op, s.write, func(r *reader, el xml.Name) (err error) {
		if el.Local != s.op.payload {
			return nil
		}
		if s.zones.wire != nil {
			r.zones = s.zones
		}
		if p, err = s.columns.read(r, &row); err != nil {
			return err
		}
		if len(p.later) > 0 {
			s.columns.setLater(r, &row, &p, twelve)
		}
		if s.hasID(&row) {
			r.record()
		}
		if len(p.unread) > 0 {
			r.unread++
			*s.columns.unread(&row) = p.unread
		}
		return nil
	}, func() (Code, string) {
		switch {
		case p.aside != "":
			return Malformed, p.aside
		case !s.hasID(&row) && (s.hasContent(&row) || len(p.unread) > 0):
			return Malformed, SetAsideID // it would appear not to exist
		}
		return s.validate(&row)
	})
	if err != nil {
		return nil, err
	}
	return &row, nil
}
