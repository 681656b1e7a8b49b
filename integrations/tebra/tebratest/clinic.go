package tebratest

import (
	"errors"
	"maps"
	"time"
)

// ErrNoSuch says that there is no such appointment, patient or provider.
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

// Clinic is one practice of the simulated vendor, seen by its own staff: what is changed here is what the API answers
// next. Changes are stamped with Config.Now.
type Clinic struct {
	server    *Server
	account   *account
	index     int // among all clinics
	practice  Practice
	zone      *time.Location
	startedAt time.Time // when the simulation began: days before it have been lived through

	// Below: under the server's lock.
	patients       int
	editedPatients map[int]Person
	patientColumns map[int]map[string]string // of patients, as the API wrote them
	externalIDs    map[externalID]int        // patients by the identifiers that others gave them
	days           map[int][]*Visit          // by day number, deleted ones included; filled on demand
	visits         map[string]*Visit
	bookedCount    int

	// What was, for reads that are stale: versions by identifier, the oldest first. One without an identifier says that there
	// was nothing yet.
	visitHistory  map[string][]visitVersion
	personHistory map[int][]personVersion
}

// external is an identifier that an integrator gave a patient.
type externalID struct {
	vendor int
	id     string
}

func newClinic(s *Server, a *account, index int, p Practice, zone *time.Location) *Clinic {
	return &Clinic{
		server: s, account: a, index: index, practice: p, zone: zone, startedAt: s.config.Now().In(zone),
		patients: p.Patients, editedPatients: map[int]Person{}, patientColumns: map[int]map[string]string{}, externalIDs: map[externalID]int{},
		days: map[int][]*Visit{}, visits: map[string]*Visit{}, visitHistory: map[string][]visitVersion{}, personHistory: map[int][]personVersion{},
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
	n, ok := c.patientIndex(id)
	if !ok {
		return Person{}, ErrNotFound
	}
	return c.patient(n), nil
}

// AddPatient registers one more patient, invented like the others.
func (c *Clinic) AddPatient() Person {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	n := c.register()
	return c.patient(n)
}

// register adds a patient, and returns its number. The caller holds the server's lock.
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

// SetPhone changes a patient's phone number.
func (c *Clinic) SetPhone(id, phone string) error {
	return c.editPatientByID(id, func(p *Person) { p.Phone = phone })
}

// SetName changes a patient's name. Visits of days that were asked for before keep the old one; what the vendor does with
// them is not known.
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

// putPatient keeps what the patient has become. The caller holds the server's lock.
func (c *Clinic) storePatient(n int, p Person) {
	c.personHistory[n] = append(recentVersions(c.personHistory[n]), personVersion{person: c.patient(n), columns: maps.Clone(c.patientColumns[n]), until: time.Now()})
	p.Modified = c.now()
	c.editedPatients[n] = p
}

// now is the vendor's clock. The caller holds the server's lock.
func (c *Clinic) now() time.Time {
	return c.server.config.Now().Add(c.server.faults.ClockOffset).In(c.zone)
}

// today is now for callers without the lock.
func (c *Clinic) today() time.Time {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.now()
}
