package tebratest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"time"
)

// Rows are odd in fixed proportion: one row in oddEvery, and at least one of each list of the
// directory, and where there are oddFrom rows or more.
const (
	oddEvery = 100 // also of calls
	oddFrom  = 5
)

// oddRows returns the rows of a list with the oddities that are switched on. Which visits of a day
// are odd depends on the whole day, so a visit is the same in every list. The caller holds the
// server's lock.
func (h *handler) oddRows(list string, all rows) rows {
	if !slices.ContainsFunc(h.odd, func(o oddity) bool { return o.row != nil }) {
		return all
	}
	original := slices.Collect(iter.Seq[record](all))
	chosen := chosenRows{}
	if ids := rowIDs(original); list != "Appointments" && (len(ids) >= oddFrom || slices.Contains(directoryLists, list)) {
		h.chooseRows(chosen, ids)
	}
	days := map[*Clinic]map[int]bool{}
	var out []record
	for _, r := range original {
		odd := h.newOddRow(r)
		if c := odd.clinic; c != nil {
			day := dayNumber(odd.visit.Start)
			if days[c] == nil {
				days[c] = map[int]bool{}
			}
			if !days[c][day] {
				days[c][day] = true
				h.chooseVisits(chosen, c, day)
			}
		}
		out = append(out, chosen.apply(odd)...)
	}
	return rowsOf(out...)
}

// oddRow is a row that may be odd.
type oddRow struct {
	*handler

	record record
	clinic *Clinic // nil outside GetAppointments
	visit  *Visit  // nil outside GetAppointments
}

func (h *handler) newOddRow(r record) oddRow {
	odd := oddRow{handler: h, record: r}
	if _, ok := r["StartDate"]; !ok {
		return odd
	}
	id, _ := r["ID"].(string)
	for _, c := range h.Server.clinics {
		if v := c.visits[id]; v != nil {
			odd.clinic, odd.visit = c, v
		}
	}
	return odd
}

// chosenRows maps the ID of a row to its oddities.
type chosenRows map[string][]oddity

// apply returns what is written for a row.
func (all chosenRows) apply(odd oddRow) []record {
	id, _ := odd.record["ID"].(string)
	out := []record{odd.record}
	for _, o := range all[id] {
		var next []record
		for _, r := range out {
			odd.record = r
			next = append(next, o.row(odd)...)
		}
		out = next
	}
	return out
}

// OddVisits returns the oddities of the visits of the calendar day that day shows in its own
// location. Visits without any are not in the map.
func (c *Clinic) OddVisits(day time.Time) map[string][]Oddity {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	chosen := chosenRows{}
	c.server.chooseVisits(chosen, c, dayNumber(day))
	all := map[string][]Oddity{}
	for id, odd := range chosen {
		for _, o := range odd {
			all[id] = append(all[id], o.Name)
		}
	}
	return all
}

// directoryLists have few rows, and each row matters.
var directoryLists = []string{"Practices", "Providers", "ServiceLocations", "ProcedureCodes"}

// chooseVisits draws the odd ones of the visits of a day.
func (s *Server) chooseVisits(chosen chosenRows, c *Clinic, day int) {
	if ids := c.visitIDs(day); len(ids) >= oddFrom {
		s.chooseRows(chosen, ids)
	}
}

// chooseRows draws the odd ones of a list's rows. A row has several oddities only if there are more
// oddities than rows.
func (s *Server) chooseRows(chosen chosenRows, ids []string) {
	if len(ids) == 0 {
		return
	}
	for _, o := range s.odd {
		if o.row == nil {
			continue
		}
		drawn := slices.Clone(ids)
		slices.SortFunc(drawn, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(chosen[a]), len(chosen[b])), cmp.Compare(s.drawn(o.Name, a), s.drawn(o.Name, b)))
		})
		for _, id := range drawn[:max(len(ids)/oddEvery, 1)] {
			chosen[id] = append(chosen[id], o)
		}
	}
}

// drawn returns a number that depends only on the seed, the oddity and the row.
func (s *Server) drawn(o Oddity, id string) uint64 {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%d/%s/%s", s.config.Seed, o, id)
	return sum.Sum64() * 0x9e3779b97f4a7c15 // the last byte must affect the highest bits
}

func rowIDs(all []record) []string {
	var ids []string
	for _, r := range all {
		if id, _ := r["ID"].(string); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// visitIDs returns the visits of a day that lists show.
func (c *Clinic) visitIDs(day int) []string {
	var ids []string
	for _, v := range c.day(day) {
		if !v.Deleted {
			ids = append(ids, v.ID)
		}
	}
	return ids
}

// inPlace returns an oddity that changes members of its row.
func inPlace(change func(r record)) func(oddRow) []record {
	return func(odd oddRow) []record {
		change(odd.record)
		return []record{odd.record}
	}
}
