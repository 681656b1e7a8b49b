package tebratest

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Visit is an appointment in the form that tests and demos use. Times are in the clinic's zone.
type Visit struct {
	ID         string
	PatientID  string
	Patient    string // name
	ProviderID string
	Provider   string // name
	Start      time.Time
	End        time.Time
	// Skipped is how much earlier rows show both times than the clocks do: the appointment was
	// entered for a time that the clocks skip.
	Skipped  time.Duration
	Status   string
	Reason   string
	Created  time.Time
	Modified time.Time

	Attendees    []string // identifiers of a group's patients; nil for one patient
	MaxAttendees int      // of a group; 0 means the default of 10
	Series       int      // number of the series it belongs to; 0 for none
	Every        int      // days between visits of the series
	Times        int      // number of visits in the series
	Deleted      bool     // not in lists
	Mode         string   // "InOffice" or "Telehealth"
	Name         string   // of the appointment; "" for generated visits
	Notes        string
	CaseID       string // "" for none
	Type         string // "P" with a patient, "O" other, "U" unknown; "" means "P"
	AllDay       bool
}

// Appointments returns the visits of the calendar day that day shows in its own location, including
// cancelled visits but not deleted ones, sorted by start and identifier.
func (c *Clinic) Appointments(day time.Time) []Visit {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	all := make([]Visit, 0, c.practice.VisitsPerDay)
	for _, v := range c.day(dayNumber(day)) {
		if !v.Deleted {
			all = append(all, *v)
		}
	}
	return all
}

// Appointment returns the current record of a visit, or ErrNotFound. Deleted visits are not found.
func (c *Clinic) Appointment(id string) (Visit, error) {
	v, err := c.lookup(id)
	if err != nil || v.Deleted {
		return Visit{}, ErrNotFound
	}
	return v, nil
}

// lookup is like Appointment but also finds deleted visits.
func (c *Clinic) lookup(id string) (Visit, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	v, err := c.find(id)
	if err != nil {
		return Visit{}, err
	}
	return *v, nil
}

// SetStatus changes the status of an appointment, or returns ErrNotFound.
func (c *Clinic) SetStatus(id, status string) error {
	return c.editByID(id, func(v *Visit) { v.Status = status })
}

// Cancel sets the status Cancelled, or returns ErrNotFound. The appointment remains in lists.
func (c *Clinic) Cancel(id string) error { return c.SetStatus(id, Cancelled) }

// Move changes the start of the appointment, to any day, and keeps its length. It returns
// ErrNotFound if there is no such appointment.
func (c *Clinic) Move(id string, start time.Time) error {
	return c.editByID(id, func(v *Visit) { c.move(v, start.In(c.zone), start.In(c.zone).Add(v.End.Sub(v.Start))) })
}

// move moves the visit to the day of its new start. The caller holds the server's lock.
func (c *Clinic) move(v *Visit, start, end time.Time) {
	from, to := dayNumber(v.Start), dayNumber(start)
	c.day(to) // generate the day first: a visit in it would prevent that
	c.days[from] = slices.DeleteFunc(c.days[from], func(o *Visit) bool { return o == v })
	v.Start, v.End, v.Skipped = start, end, 0
	c.days[to] = append(c.days[to], v)
	sortVisits(c.days[to])
}

// Delete removes the appointment from all lists, or returns ErrNotFound. Single reads still return
// it, marked as deleted.
func (c *Clinic) Delete(id string) error {
	return c.editByID(id, func(v *Visit) { v.Deleted = true })
}

// Book adds an appointment of half an hour with the i-th provider (from 0) and returns its
// identifier. It returns ErrNotFound if there is no such patient or provider.
func (c *Clinic) Book(patientID string, start time.Time, i int) (string, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.patientIndex(patientID)
	if !ok || i < 0 || i >= c.practice.Providers {
		return "", ErrNotFound
	}
	v := c.newVisit(c.nextID(), n, i, start.In(c.zone), 30*time.Minute)
	v.Status, v.Reason = Scheduled, reasons[1]
	c.add(v)
	return v.ID, nil
}

// BookAt is like Book for an appointment of any length at the date and time of day that the clock
// at the practice shows. An appointment at a time that the clocks skip takes place later by what
// they skip, but rows have the time that was entered. Of a time that the clocks show twice it is
// the first.
func (c *Clinic) BookAt(patientID string, clock time.Time, length time.Duration, i int) (string, error) {
	start, skipped := startAt(clock, c.zone)
	id, err := c.Book(patientID, start, i)
	if err != nil {
		return "", err
	}
	return id, c.editByID(id, func(v *Visit) { v.End, v.Skipped = v.Start.Add(length), skipped })
}

// startAt returns when the clocks of a zone show a date and time of day. If they skip it, start is
// later by what they skip.
func startAt(clock time.Time, zone *time.Location) (start time.Time, skipped time.Duration) {
	utc := time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), 0, 0, time.UTC)
	at := func(near time.Time) (time.Time, time.Duration) {
		_, seconds := near.In(zone).Zone()
		offset := time.Duration(seconds) * time.Second
		return utc.Add(-offset).In(zone), offset
	}
	first, before := at(utc.Add(-16 * time.Hour))
	second, after := at(utc.Add(16 * time.Hour))
	switch usDate(utc) {
	case usDate(first):
		return first, 0
	case usDate(second):
		return second, 0
	}
	return first, after - before
}

// nextID returns an identifier for a booked visit. The caller holds the server's lock.
func (c *Clinic) nextID() string {
	c.bookedCount++
	return strconv.Itoa((c.index+1)*100_000_000 + 99_000_000 + c.bookedCount)
}

// add stores a booked visit. The caller holds the server's lock.
func (c *Clinic) add(v *Visit) {
	v.Created = c.now()
	v.Modified = v.Created
	day := dayNumber(v.Start)
	c.day(day)
	c.visits[v.ID] = v
	c.days[day] = append(c.days[day], v)
	sortVisits(c.days[day])
	c.visitHistory[v.ID] = []visitVersion{{until: time.Now()}}
}

func (c *Clinic) editByID(id string, edit func(*Visit)) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	v, err := c.find(id)
	if err != nil || v.Deleted {
		return ErrNotFound
	}
	c.edit(v, edit)
	return nil
}

// edit changes a visit and keeps the earlier version. The caller holds the server's lock.
func (c *Clinic) edit(v *Visit, change func(*Visit)) {
	c.visitHistory[v.ID] = append(recentVersions(c.visitHistory[v.ID]), visitVersion{*v, time.Now()})
	change(v)
	v.Modified = c.now()
}

// find returns the visit with this identifier. Identifiers of generated visits contain their day,
// which is generated if necessary.
func (c *Clinic) find(id string) (*Visit, error) {
	if v, ok := c.visits[id]; ok {
		return v, nil
	}
	n, err := strconv.Atoi(id)
	n -= (c.index + 1) * 100_000_000
	if err != nil || n < 0 || n >= 99_000_000 {
		return nil, ErrNotFound
	}
	c.day(n / 1000)
	if v, ok := c.visits[id]; ok {
		return v, nil
	}
	return nil, ErrNotFound
}

func sortVisits(all []*Visit) {
	slices.SortFunc(all, func(a, b *Visit) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
}
