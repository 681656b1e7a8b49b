package tebratest

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// Opening hours of every simulated day, including weekends, so that a demo on a Sunday shows
// visits.
const (
	opensAt = 8 * 60    // minutes after midnight
	openFor = 9*60 + 30 // minutes
	slot    = 5         // minutes; visits start at multiples of it
)

var dayZero = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// dayNumber returns the number of the calendar day that t shows in its own location.
func dayNumber(t time.Time) int {
	d := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	return int(d.Sub(dayZero) / (24 * time.Hour))
}

// One in seriesEvery visits of a day belongs to a weekly series and one in groupEvery is a group
// visit; one deleted visit is added per deletedEvery visits.
const (
	seriesEvery  = 12
	groupEvery   = 30
	deletedEvery = 40
	seriesWeeks  = 8           // length of a series
	bookedSeries = 100_000_000 // first number of a series created through the API
)

// day returns the visits of a day, including deleted ones, and generates them on first use. The
// caller holds the server's lock.
func (c *Clinic) day(number int) []*Visit {
	if all, ok := c.days[number]; ok {
		return all
	}
	all := c.generateDay(number)
	if all == nil {
		return nil
	}
	for _, v := range all {
		c.visits[v.ID] = v
	}
	c.days[number] = all
	return all
}

// generateDay returns the visits of a day before any edits, or nil for a day outside the range of
// identifiers.
func (c *Clinic) generateDay(number int) []*Visit {
	if number < 0 || number >= 99_000 {
		return nil
	}
	r := c.random("day", number)
	people := r.Perm(max(c.practice.Patients, 1))
	all := make([]*Visit, 0, c.practice.VisitsPerDay)
	for k := range c.practice.VisitsPerDay {
		all = append(all, c.generateVisit(r, number, k, people))
	}
	for k := range c.practice.VisitsPerDay / deletedEvery {
		all = append(all, c.generateDeletedVisit(number, c.practice.VisitsPerDay+k, people))
	}
	sortVisits(all)
	return all
}

// generateVisit returns the k-th visit of a day.
func (c *Clinic) generateVisit(r *rand.Rand, number, k int, people []int) *Visit {
	date := dayZero.AddDate(0, 0, number)
	doctor, turn := k%c.practice.Providers, k/c.practice.Providers
	turns := (c.practice.VisitsPerDay - doctor + c.practice.Providers - 1) / c.practice.Providers
	begin := turn * openFor / turns / slot * slot
	length := max((turn+1)*openFor/turns/slot*slot-begin, slot)
	start := time.Date(date.Year(), date.Month(), date.Day(), 0, opensAt+begin, 0, 0, c.zone)
	series := 0
	if k%seriesEvery == seriesEvery-1 {
		series = c.seriesNumber(number, k, people)
	}
	v := c.newVisit(c.visitID(number, k), people[k%len(people)], doctor, start, time.Duration(min(length, 30))*time.Minute)
	v.Reason = pick(r, reasons)
	if series != 0 {
		v.Series, v.Every, v.Times = series, 7, seriesWeeks
	}
	if v.Reason == "Telehealth" {
		v.Mode = "Telehealth"
	}
	if k%groupEvery == groupEvery-1 && len(people) >= c.practice.VisitsPerDay+2 {
		v.Attendees = []string{v.PatientID}
		for _, n := range people[len(people)-2:] {
			v.Attendees = append(v.Attendees, strconv.Itoa(c.patientIDBase()+n+1))
		}
	}
	c.setHistory(v, r.IntN(100), 1+r.IntN(30), r.IntN(86_400))
	return v
}

func (c *Clinic) visitID(number, k int) string {
	return strconv.Itoa((c.index+1)*100_000_000 + number*1000 + k)
}

// seriesNumber returns the number of the weekly series to which the k-th visit of a day belongs,
// and assigns the visit to the patient of the series. Day zero was a Saturday, so weekdays count
// from there.
func (c *Clinic) seriesNumber(number, k int, people []int) int {
	series := (number/7/seriesWeeks*7+number%7)*1000 + k + 1
	patient := c.random("series", series).IntN(len(people))
	i := slices.Index(people, patient)
	people[k%len(people)], people[i] = people[i], people[k%len(people)]
	return series
}

// generateDeletedVisit returns a visit that was deleted long ago.
func (c *Clinic) generateDeletedVisit(number, k int, people []int) *Visit {
	date := dayZero.AddDate(0, 0, number)
	start := time.Date(date.Year(), date.Month(), date.Day(), 0, opensAt, 0, 0, c.zone)
	v := c.newVisit(c.visitID(number, k), people[k%len(people)], 0, start, slot*time.Minute)
	v.Reason, v.Deleted = reasons[0], true
	c.setHistory(v, 50, 1+k%30, k)
	return v
}

func (c *Clinic) newVisit(id string, patient, doctor int, start time.Time, length time.Duration) *Visit {
	p, d := c.patient(patient), c.provider(doctor)
	return &Visit{
		ID: id, PatientID: p.ID, Patient: p.Name(), ProviderID: d.id, Provider: d.name(), Start: start, End: start.Add(length),
		Mode: "InOffice", CaseID: c.caseID(patient),
	}
}

// setHistory sets the times and the status of a generated visit. They depend on the start of the
// simulation and on nothing later, so a day is the same whenever it is generated.
func (c *Clinic) setHistory(v *Visit, percentile, lead, second int) {
	v.Created = v.Start.AddDate(0, 0, -lead).Add(-time.Duration(second) * time.Second)
	if !v.Created.Before(c.startedAt.Add(-24 * time.Hour)) {
		v.Created = c.startedAt.AddDate(0, 0, -lead-1).Add(-time.Duration(second) * time.Second)
	}
	v.Created = v.Created.Truncate(time.Second)
	v.Modified = v.Created
	if dayNumber(v.Start) >= dayNumber(c.startedAt) {
		v.Status = Scheduled
		if percentile < 25 {
			v.Status = Confirmed
		}
		return
	}
	v.Modified = v.End.Add(10 * time.Minute)
	switch {
	case percentile < 6:
		v.Status = NoShow
	case percentile < 14:
		v.Status = Cancelled
		v.Modified = v.Created.Add(time.Hour)
	default:
		v.Status = CheckedOut
	}
}
