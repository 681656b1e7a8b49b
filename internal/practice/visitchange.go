package practice

import (
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// visitChange is a visit that is new, different or gone (now is nil).
type visitChange struct {
	now    *Appointment
	seen   *visitSeen // of now
	key    phi.Text
	group  *group
	before lastSeen[visitSeen] // of the visit; the record is the group's if the visit has no occurrence
	listed *Booking            // on the cached roster, where the last-seen record is lost
	impact impact
	grant  cache.Grant // of its part, once that is committed
}

// records returns the visit before and after the change, each if it existed.
func (c *visitChange) records(a Answer) []Record {
	var out []Record
	switch {
	case c.before.known:
		out = append(out, c.before.facts.record(c.key))
	case c.listed != nil:
		out = append(out, Record{
			Noun: NounAppointment, ID: c.key, Practice: a.Practice, Day: a.Date, Patient: c.listed.Patient, Providers: c.listed.Providers,
		})
	case c.now == nil:
		_, occurrence := splitKey(c.key)
		on, _ := splitOccurrence(occurrence)
		out = append(out, Record{Noun: NounAppointment, ID: c.key, Practice: a.Practice, Day: on})
	}
	if c.now != nil {
		out = append(out, c.seen.record(c.key))
	}
	return out
}

// impactOf is what the change of one visit affects: the visit, and the rosters of other days that
// it was on, or may have been on.
func (u *dayUpdate) impactOf(c *visitChange) impact {
	var out impact
	records := c.records(u.answer)
	out.add(u.names, records...)
	for _, r := range records {
		if !r.Day.IsZero() && (r.Day != u.answer.Date || r.Practice != u.practice) {
			out.documents = append(out.documents, u.names.Day(r.Practice, r.Day))
		}
	}
	if c.now != nil {
		for _, on := range c.group.reread {
			out.documents = append(out.documents, u.names.Day(u.practice, on))
		}
	}
	if c.key != c.group.id { // Invalidate raises the ID's own name too
		out.basis = append(out.basis, u.names.occurrences(c.group.id))
	}
	return out
}

// remember returns the updates of the last-seen records that a change makes: the visit's, if it has
// one of its own, and the ID's, with the first change of the ID.
func (u *dayUpdate) remember(c *visitChange) ([]cache.LastSeenUpdate, error) {
	var out []cache.LastSeenUpdate
	if c.key != c.group.id {
		next, err := c.before.replace(u.names.sealer, c.seen)
		if err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	if !c.group.written {
		c.group.written = true
		next, err := c.group.before.replace(u.names.sealer, u.record(c.group))
		if err != nil {
			return nil, err
		}
		out = append(out, next)
	}
	return out, nil
}
