package tebratest

import (
	"fmt"
	"net/http"
	"slices"
)

// Oddity is a way in which a response can deviate from what clients expect, although the vendor
// means it as a success. Faults make calls fail; oddities do not.
type Oddity string

// OddityInfo describes an oddity.
type OddityInfo struct {
	Name        Oddity `json:"name"`
	Description string `json:"description"`
}

// oddity is a row of the table of oddities. It has one of row, entries and call, or none if it is
// looked up where responses are made (isOdd).
type oddity struct {
	OddityInfo

	// row returns the rows that a list contains in place of an odd row. It may change the record
	// and return it. It is called for rows of every list, so it must return rows without the
	// members that it deals with as they are.
	row func(odd oddRow) []record
	// entries returns entries that a day's lists have besides the visit that was drawn for the
	// oddity. They are the same in every list.
	entries func(c *Clinic, v *Visit) []*Visit
	// unreadable reports that the row does not say which visit it is, or of which day.
	unreadable bool
	// call responds to an odd call in place of the operation.
	call func(x *exchange) Outcome
}

// oddities is the table of all oddities. A list chooses its odd rows in this order, so a new row
// belongs at the end of its part. About one row in a hundred has each oddity of rows.
var oddities = slices.Concat(valueOddities, callOddities, practiceOddities, entryOddities)

// Oddities describes all oddities.
func Oddities() []OddityInfo {
	all := make([]OddityInfo, 0, len(oddities))
	for _, o := range oddities {
		all = append(all, o.OddityInfo)
	}
	return all
}

// OddityNames returns the names of all oddities, for Config.Odd and SetOdd.
func OddityNames() []Oddity {
	var all []Oddity
	for _, o := range oddities {
		all = append(all, o.Name)
	}
	return all
}

// RowOddities returns the names of the oddities of rows.
func RowOddities() []Oddity {
	var all []Oddity
	for _, o := range oddities {
		if o.row != nil {
			all = append(all, o.Name)
		}
	}
	return all
}

// CallOddities returns the names of the oddities of calls.
func CallOddities() []Oddity {
	var all []Oddity
	for _, o := range oddities {
		if o.call != nil {
			all = append(all, o.Name)
		}
	}
	return all
}

// Unreadable reports whether a row with the oddity does not say which visit it is, or of which day,
// so that no board can show it.
func (o Oddity) Unreadable() bool {
	return slices.ContainsFunc(oddities, func(row oddity) bool { return row.Name == o && row.unreadable })
}

// oddSet is a set of oddities.
type oddSet []Oddity

// check returns an error if an oddity is unknown or repeated.
func (s oddSet) check() error {
	for i, name := range s {
		if !slices.ContainsFunc(oddities, func(o oddity) bool { return o.Name == name }) {
			return fmt.Errorf("unknown oddity %q", name)
		}
		if slices.Contains(s[:i], name) {
			return fmt.Errorf("oddity %q is repeated", name)
		}
	}
	return nil
}

// Odd returns the oddities that are switched on, in the order of the table.
func (s *Server) Odd() []Oddity {
	s.mu.Lock()
	defer s.mu.Unlock()
	on := []Oddity{}
	for _, o := range s.odd {
		on = append(on, o.Name)
	}
	return on
}

// SetOdd switches these oddities on and all others off. It returns an error, and changes nothing,
// if a name is unknown or repeated.
func (s *Server) SetOdd(on ...Oddity) error {
	if err := oddSet(on).check(); err != nil {
		return fmt.Errorf("tebratest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.odd = selectOddities(on)
	return nil
}

// isOdd reports whether an oddity is switched on. The caller holds the server's lock.
func (s *Server) isOdd(name Oddity) bool {
	return slices.ContainsFunc(s.odd, func(o oddity) bool { return o.Name == name })
}

// selectOddities returns the rows of the table that have these names.
func selectOddities(on []Oddity) []oddity {
	var all []oddity
	for _, o := range oddities {
		if slices.Contains(on, o.Name) {
			all = append(all, o)
		}
	}
	return all
}

// controlOdd adds the routes of the control API that read and replace the oddities.
func (s *Server) controlOdd(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/odd", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Odd()) })
	mux.HandleFunc("PUT /control/odd", func(w http.ResponseWriter, r *http.Request) {
		putJSON(w, r, func(on oddSet) { _ = s.SetOdd(on...) }) // putJSON has checked the names
	})
}
