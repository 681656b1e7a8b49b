package tebratest

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"
)

// ErrNoSuch says that there is no such appointment, patient or provider.
var ErrNoSuch = errors.New("tebratest: no such record")

// The statuses as rows spell them.
const (
	Scheduled   = "Scheduled"
	Confirmed   = "Confirmed"
	CheckedIn   = "Check-in"
	CheckedOut  = "Check-out"
	NoShow      = "No-show"
	Cancelled   = "Cancelled"
	Rescheduled = "Rescheduled"
)

// Visit is an appointment as tests and demos see one. Times are in the clinic's zone.
type Visit struct {
	ID         string
	PatientID  string
	Patient    string // name
	ProviderID string
	Provider   string // name
	Start      time.Time
	End        time.Time
	Status     string
	Reason     string
	Created    time.Time
	Modified   time.Time
}

// Clinic is one practice of the simulated vendor, seen by its own staff: what is changed here is what the API answers
// next. Changes are stamped with Config.Now.
type Clinic struct {
	server   *Server
	account  *account
	index    int // among all clinics
	practice Practice
	zone     *time.Location
	born     time.Time // when the simulation began: days before it have been lived through

	// Below: under the server's lock.
	patients int
	edited   map[int]Person
	days     map[int][]*Visit // by day number; filled on demand
	visits   map[string]*Visit
	booked   int
}

func newClinic(s *Server, a *account, index int, p Practice, zone *time.Location) *Clinic {
	return &Clinic{
		server: s, account: a, index: index, practice: p, zone: zone, born: s.config.Now().In(zone),
		patients: p.Patients, edited: map[int]Person{}, days: map[int][]*Visit{}, visits: map[string]*Visit{},
	}
}

// Practice returns what the clinic was configured as, with its zero values filled in.
func (c *Clinic) Practice() Practice { return c.practice }

// Location is the clinic's zone.
func (c *Clinic) Location() *time.Location { return c.zone }

// Patients returns everybody, in the order of their identifiers.
func (c *Clinic) Patients() []Person {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	all := make([]Person, c.patients)
	for n := range all {
		all[n] = c.patient(n)
	}
	return all
}

// Patient returns one patient as they stand; ErrNoSuch when there is none with this identifier.
func (c *Clinic) Patient(id string) (Person, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.number(id)
	if !ok {
		return Person{}, ErrNoSuch
	}
	return c.patient(n), nil
}

// Appointments returns the visits of the calendar day that day shows in its own location, cancelled ones included, by
// start and identifier.
func (c *Clinic) Appointments(day time.Time) []Visit {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	all := make([]Visit, 0, c.practice.VisitsPerDay)
	for _, v := range c.day(dayNumber(day)) {
		all = append(all, *v)
	}
	return all
}

// Appointment returns one visit as it stands; ErrNoSuch when there is none with this identifier.
func (c *Clinic) Appointment(id string) (Visit, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	v, err := c.find(id)
	if err != nil {
		return Visit{}, err
	}
	return *v, nil
}

// SetStatus changes the status of an appointment.
func (c *Clinic) SetStatus(id, status string) error {
	return c.change(id, func(v *Visit) { v.Status = status })
}

// Cancel leaves the appointment in the lists, as the practice's staff does.
func (c *Clinic) Cancel(id string) error { return c.SetStatus(id, Cancelled) }

// Move gives the appointment another start, on any day; it stays as long as it is.
func (c *Clinic) Move(id string, start time.Time) error {
	return c.change(id, func(v *Visit) {
		length := v.End.Sub(v.Start)
		from, to := dayNumber(v.Start), dayNumber(start.In(c.zone))
		c.day(to) // before it has a visitor, or the visitor would pass for the whole day
		c.days[from] = slices.DeleteFunc(c.days[from], func(o *Visit) bool { return o == v })
		v.Start, v.End = start.In(c.zone), start.In(c.zone).Add(length)
		c.days[to] = append(c.days[to], v)
		sortVisits(c.days[to])
	})
}

// Delete removes the appointment. Nothing in the API says so but its absence.
func (c *Clinic) Delete(id string) error {
	return c.change(id, func(v *Visit) {
		day := dayNumber(v.Start)
		c.days[day] = slices.DeleteFunc(c.days[day], func(o *Visit) bool { return o == v })
		delete(c.visits, id)
	})
}

// Book adds an appointment of half an hour with the i-th provider (from 0) and returns its identifier.
func (c *Clinic) Book(patientID string, start time.Time, i int) (string, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.number(patientID)
	if !ok || i < 0 || i >= c.practice.Providers {
		return "", ErrNoSuch
	}
	day := dayNumber(start.In(c.zone))
	c.day(day)
	c.booked++
	now := c.now()
	v := c.visit(strconv.Itoa((c.index+1)*100_000_000+99_000_000+c.booked), n, i, start.In(c.zone), 30*time.Minute)
	v.Status, v.Reason, v.Created, v.Modified = Scheduled, reasons[1], now, now
	c.visits[v.ID] = v
	c.days[day] = append(c.days[day], v)
	sortVisits(c.days[day])
	return v.ID, nil
}

// AddPatient registers one more patient, invented like the others.
func (c *Clinic) AddPatient() Person {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.patients++
	p := c.patient(c.patients - 1)
	p.Modified = c.now()
	c.edited[c.patients-1] = p
	return p
}

// SetPhone changes a patient's phone number.
func (c *Clinic) SetPhone(id, phone string) error {
	return c.changePatient(id, func(p *Person) { p.Phone = phone })
}

// SetName changes a patient's name. Visits of days that were asked for before keep the old one; what the vendor does with
// them is not known.
func (c *Clinic) SetName(id, first, last string) error {
	return c.changePatient(id, func(p *Person) { p.FirstName, p.LastName = first, last })
}

func (c *Clinic) changePatient(id string, edit func(*Person)) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.number(id)
	if !ok {
		return ErrNoSuch
	}
	p := c.patient(n)
	edit(&p)
	p.Modified = c.now()
	c.edited[n] = p
	return nil
}

func (c *Clinic) now() time.Time { return c.server.config.Now().In(c.zone) }

func (c *Clinic) change(id string, edit func(*Visit)) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	v, err := c.find(id)
	if err != nil {
		return err
	}
	edit(v)
	v.Modified = c.now()
	return nil
}

// find returns the visit with this identifier, which also says the day that it was invented for.
func (c *Clinic) find(id string) (*Visit, error) {
	if v, ok := c.visits[id]; ok {
		return v, nil
	}
	n, err := strconv.Atoi(id)
	n -= (c.index + 1) * 100_000_000
	if err != nil || n < 0 || n >= 99_000_000 {
		return nil, ErrNoSuch
	}
	c.day(n / 1000)
	if v, ok := c.visits[id]; ok {
		return v, nil
	}
	return nil, ErrNoSuch
}

func sortVisits(all []*Visit) {
	slices.SortFunc(all, func(a, b *Visit) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
}
