package tebratest

import (
	"cmp"
	"slices"
	"strings"
)

// Enter adds an entry as it is given, with its times in the clinic's zone, and returns its
// identifier. Without an identifier it gets one of its own. With that of another entry it is a
// further row of that entry, as of a series or a group; the methods that change an entry by its
// identifier change the first one. Without a provider it is the first one's.
func (c *Clinic) Enter(v Visit) string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	v.Start, v.End = v.Start.In(c.zone), v.End.In(c.zone)
	v.ID, v.Status = cmp.Or(v.ID, c.nextID()), cmp.Or(v.Status, Scheduled)
	if v.ProviderID == "" && c.practice.Providers > 0 {
		d := c.provider(0)
		v.ProviderID, v.Provider = d.id, d.name()
	}
	first := c.visits[v.ID]
	c.add(&v)
	if first != nil {
		v.Created, v.Modified = first.Created, first.Modified
		c.visits[v.ID] = first
	}
	return v.ID
}

// Withdraw removes the rows of an entry that a test selects, without a trace, or returns
// ErrNotFound if there is none. What is left of the entry is its first row from then on.
func (c *Clinic) Withdraw(id string, selected func(Visit) bool) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	withdrawn := 0
	var left []*Visit
	for day, all := range c.days {
		c.days[day] = slices.DeleteFunc(all, func(v *Visit) bool {
			switch {
			case v.ID != id:
				return false
			case selected(*v):
				withdrawn++
				return true
			}
			left = append(left, v)
			return false
		})
	}
	switch {
	case withdrawn == 0:
		return ErrNotFound
	case len(left) == 0:
		delete(c.visits, id)
		delete(c.visitHistory, id)
	case !slices.Contains(left, c.visits[id]):
		c.visits[id] = slices.MinFunc(left, func(a, b *Visit) int { return a.Start.Compare(b.Start) })
		delete(c.visitHistory, id)
	}
	return nil
}

// hasType reports whether a filter's type selects the visit.
func (v *Visit) hasType(filter string) bool {
	short := cmp.Or(v.Type, "P")
	name := map[string]string{"P": "Patient", "O": "Other", "U": "Unknown"}[short]
	return equalsFilter(filter, short) || strings.EqualFold(filter, name)
}
