package practice

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Errors of the mapping. They carry nothing of the row.
var (
	// ErrForeign means that the row belongs to another practice than was asked for. It must not be cached.
	ErrForeign = errors.New("practice: row of another practice")
	// ErrRow means that the row lacks what a document cannot be without.
	ErrRow = errors.New("practice: row without id or start")
)

// FromAppointment maps a row of the schedule of one practice.
func FromAppointment(practice string, row tebra.Appointment, zone *time.Location) (Appointment, error) {
	if row.PracticeID != "" && row.PracticeID != practice {
		return Appointment{}, ErrForeign
	}
	if row.ID == "" || row.Start.IsZero() {
		return Appointment{}, ErrRow
	}
	a := Appointment{
		ID: row.ID, Practice: practice, Day: DateOf(row.Start, zone), Start: row.Start.UTC(), End: row.End.UTC(),
		AllDay: row.AllDay, Patient: row.PatientID, PatientName: row.PatientName, Status: ParseStatus(row.Status),
		Location: row.ServiceLocationName,
	}
	if row.End.IsZero() || row.End.Before(row.Start) {
		a.End = a.Start
	}
	for _, r := range row.Reasons {
		if r.Name != "" {
			a.Reasons = append(a.Reasons, r.Name)
		}
	}
	resources := row.Providers()
	if len(resources) == 0 {
		resources = row.Resources
	}
	for _, r := range resources {
		a.Resources = append(a.Resources, Resource{ID: r.ID.Reveal(), Name: r.Name.Reveal()})
	}
	return a, nil
}

// FromPatient maps a patient's record.
func FromPatient(p *tebra.Patient) Patient {
	return Patient{
		ID: p.ID, First: p.FirstName, Middle: p.MiddleName, Last: p.LastName, Born: p.BirthDate,
		Gender: p.Gender, Mobile: p.MobilePhone, Home: p.HomePhone, Email: p.Email,
	}
}

// FromProviders maps a practice's providers and orders them, so that the vendor's order cannot look like a change.
// Referring providers belong to other houses and are left out.
func FromProviders(practice string, rows []tebra.Provider) Directory {
	d := Directory{Practice: practice, Providers: []Provider{}}
	for _, r := range rows {
		if r.ID == "" || r.PracticeID != "" && r.PracticeID != practice || strings.Contains(r.Type, "Referring") {
			continue
		}
		d.Providers = append(d.Providers, Provider{
			ID: r.ID.Reveal(), Name: r.FullName.Reveal(), Specialty: r.Specialty, Active: r.Active,
		})
	}
	slices.SortFunc(d.Providers, func(a, b Provider) int { return strings.Compare(a.ID, b.ID) })
	return d
}

// Hash is a keyed digest of a document's content: equal for equal content, and telling nothing of it.
func Hash(s *phi.Sealer, document any) (phi.Ref, error) {
	data, err := phi.Marshal(document)
	if err != nil {
		return "", err
	}
	return s.Ref("content", string(data)), nil
}
