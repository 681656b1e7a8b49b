package practice

import (
	"slices"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Noun is a kind of record in the graph. It also distinguishes equal identifiers of different
// kinds.
type Noun string

// The nouns. NounOmissions is the roll-up of what a practice's days may lack: a card shows 28 days.
// NounPatients is the roll-up of all patients of one tenant: a board shows ninety
// patients, and an entry may carry 32 tags. It belongs to the tenant and not to a practice, because
// the practices of an account share its patients.
const (
	NounAppointment          Noun = "appointment"
	NounPatient              Noun = "patient"
	NounPatients             Noun = "patients"
	NounDirectory            Noun = "directory"
	NounLocations            Noun = "locations"
	NounPractices            Noun = "practices"
	NounPatientsConfirmation Noun = "roll"
	NounDay                  Noun = "day"
	NounBoard                Noun = "day-board"
	NounProviderDay          Noun = "provider-day"
	NounCard                 Noun = "patient-card"
	NounPractice             Noun = "practice"
	NounIdentity             Noun = "identity"
	NounDoubt                Noun = "doubt"
	NounOmissions            Noun = "omissions"
)

// graph lists for each noun the nouns that it is built from. It has no cycle. A day's roster is not
// built from appointments: an appointment in doubt is still on its day, and only a read of the
// whole day can change that.
var graph = map[Noun][]Noun{
	NounPatients:    {NounPatient},
	NounBoard:       {NounDay, NounAppointment, NounPatients, NounDirectory, NounLocations},
	NounProviderDay: {NounAppointment, NounPatient, NounPatients, NounDirectory, NounLocations},
	NounCard:        {NounAppointment, NounPatient, NounDirectory, NounLocations, NounOmissions},
}

// builtOn lists everything that is built on n, directly or not, with n first.
func builtOn(n Noun) []Noun {
	out := []Noun{n}
	for i := 0; i < len(out); i++ {
		for parent, children := range graph {
			if slices.Contains(children, out[i]) && !slices.Contains(out, parent) {
				out = append(out, parent)
			}
		}
	}
	return out
}

// Names returns the names of one tenant's records and views, which reveal no identifiers.
type Names struct{ sealer *phi.Sealer }

// NewNames returns the Names of the tenant that the sealer belongs to.
func NewNames(s *phi.Sealer) Names { return Names{s} }

// Appointment names an appointment by the vendor's id, or one occurrence of it by the key of its
// row.
func (n Names) Appointment(key phi.Text) phi.Ref { return n.ref(NounAppointment, key.Reveal()) }

// occurrences names all occurrences of an appointment together.
func (n Names) occurrences(id phi.Text) phi.Ref {
	return n.ref(NounAppointment, id.Reveal()+occurrenceSeparator)
}

// Patient names a patient by the vendor's id.
func (n Names) Patient(id phi.Text) phi.Ref { return n.ref(NounPatient, id.Reveal()) }

// Practice names a practice.
func (n Names) Practice(id string) phi.Ref { return n.ref(NounPractice, id) }

// Patients names the roll-up of the tenant's patients.
func (n Names) Patients() phi.Ref { return n.ref(NounPatients, "") }

// Directory names a practice's directory of providers.
func (n Names) Directory(practice string) phi.Ref { return n.ref(NounDirectory, practice) }

// Locations names the list of a practice's places.
func (n Names) Locations(practice string) phi.Ref { return n.ref(NounLocations, practice) }

// Practices names the list of the tenant's practices.
func (n Names) Practices() phi.Ref { return n.ref(NounPractices, "") }

// PatientsConfirmation names what confirms the records of a practice's patients.
func (n Names) PatientsConfirmation(practice string) phi.Ref {
	return n.ref(NounPatientsConfirmation, practice)
}

// Identity names what the vendor states about a practice's number.
func (n Names) Identity(practice string) phi.Ref { return n.ref(NounIdentity, practice) }

// omissions names what the practice's days may lack.
func (n Names) omissions(practice string) phi.Ref { return n.ref(NounOmissions, practice) }

// Day names the roster of a day.
func (n Names) Day(practice string, d civil.Date) phi.Ref {
	return n.ref(NounDay, practice+" "+d.String())
}

// Board names the day board.
func (n Names) Board(practice string, d civil.Date) phi.Ref {
	return n.ref(NounBoard, practice+" "+d.String())
}

// ProviderDay names one provider's day.
func (n Names) ProviderDay(practice, provider string, d civil.Date) phi.Ref {
	return n.ref(NounProviderDay, practice+" "+d.String()+" "+provider)
}

// Card names the card of a patient at a practice, whatever day it begins on.
func (n Names) Card(practice string, patient phi.Text) phi.Ref {
	return n.ref(NounCard, practice+" "+patient.Reveal())
}

// cardFrom names the card that begins on one day. Only cache keys have this name.
func (n Names) cardFrom(practice string, patient phi.Text, today civil.Date) phi.Ref {
	return n.ref(NounCard, practice+" "+patient.Reveal()+" "+today.String())
}

func (n Names) ref(noun Noun, id string) phi.Ref { return n.sealer.Ref(string(noun), id) }

// Record identifies a record, with the facts by which the views that show it are found.
type Record struct {
	Noun     Noun
	ID       phi.Text // an appointment's (the key of its row) or a patient's; empty for the others
	Practice string
	// The other fields describe an appointment. An appointment that moved, or got another provider
	// or patient, is two records, before and after.
	Day       civil.Date // a roster's too
	Patient   phi.Text
	Providers []string
}

// Views returns the names of the views that show the appointment.
func (n Names) Views(r Record) []phi.Ref {
	var out []phi.Ref
	if r.Day.IsZero() {
		return nil
	}
	out = append(out, n.Board(r.Practice, r.Day))
	for _, p := range r.Providers {
		out = append(out, n.ProviderDay(r.Practice, p, r.Day))
	}
	if r.Patient != "" {
		out = append(out, n.Card(r.Practice, r.Patient))
	}
	return out
}

// of returns the name that a change of r raises for a noun: that of r itself for its own noun, or
// that of a roll-up. For the nouns of views it returns "": Views returns their names.
func (n Names) of(noun Noun, r Record) phi.Ref {
	switch noun {
	case NounAppointment:
		return n.Appointment(r.ID)
	case NounPatient:
		return n.Patient(r.ID)
	case NounPatients:
		return n.Patients()
	case NounDirectory:
		return n.Directory(r.Practice)
	case NounLocations:
		return n.Locations(r.Practice)
	case NounPractices:
		return n.Practices()
	case NounPatientsConfirmation:
		return n.PatientsConfirmation(r.Practice)
	case NounDay:
		return n.Day(r.Practice, r.Day)
	case NounPractice:
		return n.Practice(r.Practice)
	case NounIdentity:
		return n.Identity(r.ID.Reveal())
	case NounDoubt:
		return n.ref(NounDoubt, r.ID.Reveal())
	case NounOmissions:
		return n.omissions(r.Practice)
	case NounBoard, NounProviderDay, NounCard:
	}
	return ""
}
