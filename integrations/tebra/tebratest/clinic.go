package tebratest

import (
	"errors"
	"maps"
	"time"
)

// ErrNotFound reports that there is no such appointment, patient or provider.
var ErrNotFound = errors.New("tebratest: no such record")

// The statuses as rows spell them.
const (
	Scheduled   = "Scheduled"
	Confirmed   = "Confirmed"
	CheckedIn   = "Check-in"
	Roomed      = "Roomed"
	ReadyToSee  = "Ready To Be Seen"
	CheckedOut  = "Check-out"
	NoShow      = "No-show"
	Cancelled   = "Cancelled"
	Rescheduled = "Rescheduled"
)

// Clinic is one practice of the simulated vendor, as its own staff uses it. The API returns what is
// changed here. Changes have the time of Config.Now.
type Clinic struct {
	server    *Server
	account   *account
	index     int // among all clinics
	practice  Practice
	zone      *time.Location
	startedAt time.Time // start of the simulation; earlier days are over

	// The fields below, and the practice's name, are protected by the server's lock.
	access         Access
	patients       int
	editedPatients map[int]Person
	patientColumns map[int]map[string]string // columns of patients, as written through the API
	externalIDs    map[externalID]int        // patients by external identifier
	merged         map[int]int               // patients that were merged into others
	// By day number, with deleted visits; generated on demand.
	days        map[int][]*Visit
	visits      map[string]*Visit
	bookedCount int

	// Earlier versions for stale reads, by identifier, oldest first. A version without an
	// identifier means that the record did not exist yet.
	visitHistory  map[string][]visitVersion
	personHistory map[int][]personVersion
}

// externalID is an identifier that an integrator assigned to a patient.
type externalID struct {
	vendor int
	id     string
}

func newClinic(s *Server, a *account, index int, p Practice, zone *time.Location) *Clinic {
	return &Clinic{
		server: s, account: a, index: index, practice: p, zone: zone, startedAt: s.config.Now().In(zone),
		patients: p.Patients, editedPatients: map[int]Person{}, patientColumns: map[int]map[string]string{}, externalIDs: map[externalID]int{},
		merged: map[int]int{},
		days:   map[int][]*Visit{}, visits: map[string]*Visit{}, visitHistory: map[string][]visitVersion{}, personHistory: map[int][]personVersion{},
	}
}

// Practice returns the clinic's configuration with zero values replaced by their defaults.
func (c *Clinic) Practice() Practice {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.practice
}

// Location returns the clinic's time zone.
func (c *Clinic) Location() *time.Location { return c.zone }

// Patients returns all patients in the order of their identifiers.
func (c *Clinic) Patients() []Person {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	all := make([]Person, c.patients)
	for n := range all {
		all[n] = c.patient(n)
	}
	return all
}

// Patient returns the current record of a patient, or ErrNotFound.
func (c *Clinic) Patient(id string) (Person, error) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.patientIndex(id)
	if !ok {
		return Person{}, ErrNotFound
	}
	return c.patient(n), nil
}

// AddPatient registers another generated patient and returns it.
func (c *Clinic) AddPatient() Person {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n := c.register()
	return c.patient(n)
}

// register adds a patient and returns its index. The caller holds the server's lock.
func (c *Clinic) register() int {
	n := c.patients
	c.patients++
	p := c.patient(n)
	p.Created = c.now()
	p.Modified = p.Created
	c.editedPatients[n] = p
	c.personHistory[n] = []personVersion{{until: time.Now()}}
	return n
}

// SetPhone changes a patient's phone number, or returns ErrNotFound.
func (c *Clinic) SetPhone(id, phone string) error {
	return c.editPatientByID(id, func(p *Person) { p.Phone = phone })
}

// SetName changes a patient's name, or returns ErrNotFound. Visits on days that were already
// generated keep the old name; how the vendor handles them is unknown.
func (c *Clinic) SetName(id, first, last string) error {
	return c.editPatientByID(id, func(p *Person) { p.FirstName, p.LastName = first, last })
}

func (c *Clinic) editPatientByID(id string, edit func(*Person)) error {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n, ok := c.patientIndex(id)
	if !ok {
		return ErrNotFound
	}
	p := c.patient(n)
	edit(&p)
	c.storePatient(n, p)
	return nil
}

// storePatient replaces a patient's record. The caller holds the server's lock.
func (c *Clinic) storePatient(n int, p Person) {
	c.personHistory[n] = append(recentVersions(c.personHistory[n]), personVersion{person: c.patient(n), columns: maps.Clone(c.patientColumns[n]), until: time.Now()})
	p.Modified = c.now()
	c.editedPatients[n] = p
}

// now returns the vendor's time. The caller holds the server's lock.
func (c *Clinic) now() time.Time {
	return c.server.config.Now().Add(c.server.faults.ClockOffset).In(c.zone)
}

// today returns now for callers without the lock.
func (c *Clinic) today() time.Time {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.now()
}
