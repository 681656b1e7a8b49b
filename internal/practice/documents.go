package practice

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// Appointment is one visit, or another entry in a provider's calendar. It belongs to exactly one day of one practice.
type Appointment struct {
	ID          phi.Text   `json:"id"`
	Practice    string     `json:"practice"`
	Day         Date       `json:"day"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	AllDay      bool       `json:"all_day,omitzero"`
	Patient     phi.Text   `json:"patient,omitzero"` // the vendor's id; empty when the entry is nobody's visit
	PatientName phi.Text   `json:"patient_name,omitzero"`
	Status      Status     `json:"status"`
	Reasons     []phi.Text `json:"reasons,omitempty"`
	Resources   []Resource `json:"resources,omitempty"`
	Location    string     `json:"location,omitzero"`
}

// Resource is a provider or a room that an appointment occupies.
type Resource struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Patient is what the front desk needs of a person's record. It belongs to the account, whose practices share it.
type Patient struct {
	ID     phi.Text `json:"id"`
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

// Day is the roster of one day: which appointments it has. Their content lies in documents of their own, so that a
// change of one moves one.
type Day struct {
	Practice string     `json:"practice"`
	Date     Date       `json:"date"`
	Visits   []phi.Text `json:"visits"` // ids of the appointments, in order of start
}
