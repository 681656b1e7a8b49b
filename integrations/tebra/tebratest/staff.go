package tebratest

import (
	"math/rand/v2"
	"slices"
	"time"
)

// visitStatuses are the statuses that a visit passes through on its day.
var visitStatuses = []string{Confirmed, CheckedIn, Roomed, ReadyToSee, CheckedOut}

// Edit is one action of the practice's staff.
type Edit struct {
	At          time.Time
	Appointment string // "" for a new patient
	What        string // "status", "move", "cancel" or "register"
	Status      string // for "status"
	Start       time.Time
}

// Edits returns the staff's actions on the calendar day that day shows in its own location, in
// order of time: six status changes per visit, 8 % of the visits moved or cancelled in the course
// of the day, and new patients for 5 % of the visits. The actions depend only on the seed and on
// the day's visits as generated. Edits changes nothing.
func (c *Clinic) Edits(day time.Time) []Edit {
	number := dayNumber(day)
	c.server.mu.Lock()
	visits := c.generateDay(number)
	c.server.mu.Unlock()
	r := c.random("edits", number)
	var all []Edit
	for i, v := range visits {
		if !v.Deleted {
			all = append(all, c.editsOf(v, i, r)...)
		}
	}
	slices.SortStableFunc(all, func(a, b Edit) int { return a.At.Compare(b.At) })
	return all
}

func (c *Clinic) editsOf(v *Visit, i int, r *rand.Rand) []Edit {
	opens := time.Date(v.Start.Year(), v.Start.Month(), v.Start.Day(), 0, opensAt, 0, 0, c.zone)
	before := opens.Add(time.Duration(r.Int64N(int64(max(v.Start.Sub(opens), time.Minute)))))
	all := []Edit{}
	if r.IntN(100) < 5 {
		all = append(all, Edit{At: before, What: "register"})
	}
	switch percentile := r.IntN(100); {
	case percentile < 4:
		return append(all, Edit{At: before, Appointment: v.ID, What: "cancel"})
	case percentile < 8:
		later := v.Start.AddDate(0, 0, 1+i%10)
		return append(all, Edit{At: before, Appointment: v.ID, What: "move", Start: later})
	}
	at := v.Start.Add(-30 * time.Minute)
	for _, status := range append([]string{Scheduled}, visitStatuses...) {
		all = append(all, Edit{At: at, Appointment: v.ID, What: "status", Status: status})
		at = at.Add(time.Duration(4+r.IntN(12)) * time.Minute)
	}
	return all
}

// Play performs the edits of a day that are later than after and not later than until, and returns
// their number. Edits of visits that no longer exist are skipped.
func (c *Clinic) Play(day, after, until time.Time) int {
	made := 0
	for _, e := range c.Edits(day) {
		if !e.At.After(after) || e.At.After(until) {
			continue
		}
		var err error
		switch e.What {
		case "status":
			err = c.SetStatus(e.Appointment, e.Status)
		case "cancel":
			err = c.Cancel(e.Appointment)
		case "move":
			err = c.Move(e.Appointment, e.Start)
		case "register":
			c.AddPatient()
		}
		if err == nil {
			made++
		}
	}
	return made
}
