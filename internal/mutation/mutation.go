// Package mutation changes the vendor's lists at random, for property tests of everything that
// reads them. It drops, doubles, reorders, renames and re-encodes parts of a response and corrupts
// texts, and states what a reader must make of the result.
package mutation

import "slices"

// Choose returns a number from 0 up to n, exclusive. Tests draw it from their generator, so that
// failures shrink.
type Choose func(n int) int

// Response is a mutated list.
type Response struct {
	Body []byte
	// Steps names the changes that were made, in order.
	Steps []string
	// Intact reports that the envelope can be read. A reader must accept an intact response, and
	// may refuse another one as a whole. If it accepts one, it must not lose a row of Kept.
	Intact bool
	// Kept are the IDs of the rows that say what they said before. There may be further rows with
	// the same ID.
	Kept []string
	// Foreign are the IDs of rows that belong to another practice now. No other row has such an ID.
	Foreign []string
}

// maxSteps is the largest number of changes to one response.
const maxSteps = 4

// step is a kind of change.
type step struct {
	name   string
	apply  func(*draft)
	breaks bool // the envelope is not intact afterwards
}

// Mutate returns a changed copy of a list of appointments, which must have the form that the
// simulator writes.
func Mutate(body []byte, choose Choose) Response {
	d := parse(string(body))
	d.choose = choose
	r := Response{Intact: true}
	for range 1 + choose(maxSteps) {
		steps := rowSteps
		if len(d.rows) == 0 || choose(5) == 0 {
			steps = envelopeSteps
		}
		s := steps[choose(len(steps))]
		s.apply(d)
		r.Steps = append(r.Steps, s.name)
		r.Intact = r.Intact && !s.breaks
	}
	for _, row := range d.rows {
		switch {
		case row.foreign:
			r.Foreign = append(r.Foreign, row.id)
		case !row.touched && !slices.Contains(r.Kept, row.id):
			r.Kept = append(r.Kept, row.id)
		}
	}
	r.Body = d.bytes()
	return r
}
