package tebratest

import (
	"strconv"
	"time"
)

// Opening hours of every simulated day, weekends included: a demo started on a Sunday has something to show.
const (
	opensAt = 8 * 60    // minutes after midnight
	openFor = 9*60 + 30 // minutes
	slot    = 5         // visits start on full five minutes
)

var dayZero = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// dayNumber counts calendar days, as t shows them in its own location.
func dayNumber(t time.Time) int {
	d := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return int(d.Sub(dayZero) / (24 * time.Hour))
}

// day returns the visits of a day, inventing them the first time. The caller holds the server's lock.
func (c *Clinic) day(number int) []*Visit {
	if all, ok := c.days[number]; ok {
		return all
	}
	if number < 0 || number >= 99_000 { // outside of the numbers that identifiers have room for
		return nil
	}
	date := dayZero.AddDate(0, 0, number)
	r := c.draw("day", number)
	people := r.Perm(max(c.practice.Patients, 1))
	all := make([]*Visit, 0, c.practice.VisitsPerDay)
	for k := range c.practice.VisitsPerDay {
		doctor, turn := k%c.practice.Providers, k/c.practice.Providers
		turns := (c.practice.VisitsPerDay - doctor + c.practice.Providers - 1) / c.practice.Providers
		begin := turn * openFor / turns / slot * slot
		length := max((turn+1)*openFor/turns/slot*slot-begin, slot)
		start := time.Date(date.Year(), date.Month(), date.Day(), 0, opensAt+begin, 0, 0, c.zone)
		id := strconv.Itoa((c.index+1)*100_000_000 + number*1000 + k)
		v := c.visit(id, people[k%len(people)], doctor, start, time.Duration(min(length, 30))*time.Minute)
		v.Reason = pick(r, reasons)
		c.live(v, r.IntN(100), 1+r.IntN(30), r.IntN(86_400))
		c.visits[id] = v
		all = append(all, v)
	}
	sortVisits(all)
	c.days[number] = all
	return all
}

func (c *Clinic) visit(id string, patient, doctor int, start time.Time, length time.Duration) *Visit {
	p, d := c.patient(patient), c.provider(doctor)
	return &Visit{
		ID: id, PatientID: p.ID, Patient: p.Name(), ProviderID: d.id, Provider: d.name(), Start: start, End: start.Add(length),
	}
}

// live gives an invented visit its past. It depends on when the simulation began and on nothing that happens later, so
// that a day looks the same whenever it is first asked for.
func (c *Clinic) live(v *Visit, luck, lead, second int) {
	v.Created = v.Start.AddDate(0, 0, -lead).Add(-time.Duration(second) * time.Second)
	if !v.Created.Before(c.born.Add(-24 * time.Hour)) {
		v.Created = c.born.AddDate(0, 0, -lead-1).Add(-time.Duration(second) * time.Second)
	}
	v.Created = v.Created.Truncate(time.Second)
	v.Modified = v.Created
	if dayNumber(v.Start) >= dayNumber(c.born) {
		v.Status = Scheduled
		if luck < 25 {
			v.Status = Confirmed
		}
		return
	}
	v.Modified = v.End.Add(10 * time.Minute)
	switch {
	case luck < 6:
		v.Status = NoShow
	case luck < 14:
		v.Status = Cancelled
		v.Modified = v.Created.Add(time.Hour)
	default:
		v.Status = CheckedOut
	}
}
