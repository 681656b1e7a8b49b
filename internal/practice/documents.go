package practice

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Appointment is one visit, or another entry in a provider's calendar.
type Appointment struct {
	ID phi.Text `json:"id"`
	// Occurrence distinguishes rows with the same ID, and the days of one row. It is empty while
	// the vendor gives the ID once and the entry has one day. ApplyDay sets it.
	Occurrence  string     `json:"occurrence,omitzero"`
	Practice    string     `json:"practice"`
	Day         civil.Date `json:"day"`           // on which it starts
	Last        civil.Date `json:"last,omitzero"` // on which it ends, if that is a later day
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	Type        EntryType  `json:"type,omitzero"`
	AllDay      bool       `json:"all_day,omitzero"`
	Patient     phi.Text   `json:"patient,omitzero"` // the vendor's id; empty if the entry is not a visit
	PatientName phi.Text   `json:"patient_name,omitzero"`
	Status      Status     `json:"status"`
	// Reasons are those that the practice has defined. An entry without a patient and without such
	// a reason has the first line of its notes instead, which is free text.
	Reasons    []phi.Text `json:"reasons,omitempty"`
	ReasonID   string     `json:"reason_id,omitzero"` // of the first reason
	Resources  []Resource `json:"resources,omitempty"`
	LocationID string     `json:"location_id,omitzero"`
	Location   string     `json:"location,omitzero"` // its name on the day of booking
	// Recurring reports that the vendor counts the entry to a series.
	Recurring bool `json:"recurring,omitzero"`
	// Modified is when the vendor's record changed last; zero if unknown. It is not part of the
	// document.
	Modified time.Time `json:"-"`
	// OpenEnded reports that the row's end cannot be read, so that the entry may also be on later
	// days. It is not part of the document.
	OpenEnded bool `json:"-"`
}

// Covers reports whether the entry is on a day.
func (a *Appointment) Covers(d civil.Date) bool {
	return a.Day.Compare(d) <= 0 && d.Compare(civil.Max(a.Day, a.Last)) <= 0
}

// Providers returns the ids of the providers that the appointment occupies.
func (a Appointment) Providers() []string {
	var out []string
	for _, r := range a.Resources {
		if !r.Room && r.ID != "" {
			out = append(out, r.ID)
		}
	}
	return out
}

// Resource is a provider that an appointment occupies, or a room if the appointment names no
// provider.
type Resource struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Room bool   `json:"room,omitzero"` // rooms and providers have separate numbers
}

// Patient is the part of a patient's record that the front desk needs. It belongs to the account,
// whose practices share it.
type Patient struct {
	ID phi.Text `json:"id"`
	// Practice is the one that keeps the record; empty if the vendor does not name it.
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

// Place is one of the account's practices.
type Place struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Active bool   `json:"active"`
}

// Practices is the list of the account's practices, ordered by ID.
type Practices struct {
	Practices []Place `json:"practices"`
}

// Day is the roster of one day: which appointments it has, of which patients and providers. Their
// content has documents of its own, so that a change of one appointment changes one document.
type Day struct {
	Practice string     `json:"practice"`
	Date     civil.Date `json:"date"`
	Visits   []Booking  `json:"visits"` // in order of start
	// Incomplete lists why the day may have more visits than these, in the order of codes.
	Incomplete []Omission `json:"incomplete,omitempty"`
}

// Booking is one appointment on a roster, with the patient and the providers by which views find
// it.
type Booking struct {
	ID         phi.Text `json:"id"`
	Occurrence string   `json:"occurrence,omitzero"`
	Patient    phi.Text `json:"patient,omitzero"`
	Providers  []string `json:"providers,omitempty"`
}

// PatientsConfirmation confirms the records of a practice's patients: every change that the vendor
// made before the confirmation was filled has been applied.
type PatientsConfirmation struct {
	Practice string `json:"practice"`
}
