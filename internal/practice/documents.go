package practice

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Appointment is one visit, or another entry in a provider's calendar. It belongs to exactly one day of one practice.
type Appointment struct {
	ID          phi.Text   `json:"id"`
	Practice    string     `json:"practice"`
	Day         civil.Date `json:"day"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	AllDay      bool       `json:"all_day,omitzero"`
	Patient     phi.Text   `json:"patient,omitzero"` // the vendor's id; empty when the entry is nobody's visit
	PatientName phi.Text   `json:"patient_name,omitzero"`
	Status      Status     `json:"status"`
	Reasons     []phi.Text `json:"reasons,omitempty"`
	ReasonID    string     `json:"reason_id,omitzero"` // of the first
	Resources   []Resource `json:"resources,omitempty"`
	LocationID  string     `json:"location_id,omitzero"`
	Location    string     `json:"location,omitzero"` // as it was called on the day of booking
}

// Providers returns the ids of the providers whom the appointment takes.
func (a Appointment) Providers() []string {
	var out []string
	for _, r := range a.Resources {
		if !r.Room && r.ID != "" {
			out = append(out, r.ID)
		}
	}
	return out
}

// Resource is a provider, or a room where no provider is named, that an appointment occupies.
type Resource struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Room bool   `json:"room,omitzero"` // rooms and providers are numbered apart
}

// Patient is what the front desk needs of a person's record. It belongs to the account, whose practices share it.
type Patient struct {
	ID phi.Text `json:"id"`
	// Practice is the one that keeps the record; empty when the vendor does not say.
	Practice string `json:"practice,omitzero"`

	First  phi.Text `json:"first,omitzero"`
	Middle phi.Text `json:"middle,omitzero"`
	Last   phi.Text `json:"last,omitzero"`
	Born   phi.Text `json:"born,omitzero"` // 2006-01-02
	Gender phi.Text `json:"gender,omitzero"`
	Mobile phi.Text `json:"mobile,omitzero"`
	Home   phi.Text `json:"home,omitzero"`
	Email  phi.Text `json:"email,omitzero"`
}

// Provider is one entry of a practice's directory.
type Provider struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Specialty string `json:"specialty,omitzero"`
	Active    bool   `json:"active"`
}

// Directory is the list of a practice's providers, ordered by ID.
type Directory struct {
	Practice  string     `json:"practice"`
	Providers []Provider `json:"providers"`
}

// Location is a place where a practice sees patients.
type Location struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Locations is the list of a practice's places, ordered by ID.
type Locations struct {
	Practice  string     `json:"practice"`
	Locations []Location `json:"locations"`
}

// Place is what the account says of one of its practices.
type Place struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Active bool   `json:"active"`
}

// Practices is the list of the account's practices, ordered by ID.
type Practices struct {
	Practices []Place `json:"practices"`
}

// Day is the roster of one day: which appointments it has, whose and with whom. Their content lies in documents of their
// own, so that a change of one moves one.
type Day struct {
	Practice string     `json:"practice"`
	Date     civil.Date `json:"date"`
	Visits   []Booking  `json:"visits"` // in order of start
}

// Booking is one appointment on a roster, with what it is looked for by.
type Booking struct {
	ID        phi.Text `json:"id"`
	Patient   phi.Text `json:"patient,omitzero"`
	Providers []string `json:"providers,omitempty"`
}

// Roll confirms the records of a practice's patients: what the vendor changed before it was filled has been applied.
type PatientsConfirmation struct {
	Practice string `json:"practice"`
}
