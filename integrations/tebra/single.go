package tebra

import (
	"context"
	"encoding/xml"
)

// single is a call whose response contains one record.
type single[T any] struct {
	op       *Operation
	write    func(*writer) // writes the members after the header
	zones    zonePair      // the zero value is UTC
	columns  *record[T]
	hasID    func(*T) bool           // false if the vendor returns no record
	validate func(*T) (Code, string) // as in call
}

// read makes the call and returns the record.
func (s *single[T]) read(ctx context.Context, c *Client) (*T, error) {
	var row T
	err := c.call(ctx, s.op, s.write, func(r *reader, el xml.StartElement) error {
		if el.Name.Local != s.op.payload {
			return nil
		}
		if s.zones.wire != nil {
			r.zones = s.zones
		}
		err := s.columns.read(r, &row)
		if s.hasID(&row) {
			r.rows++
		}
		return err
	}, func() (Code, string) { return s.validate(&row) })
	if err != nil {
		return nil, err
	}
	return &row, nil
}
