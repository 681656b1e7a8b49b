package practice

import (
	"slices"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Noun names a sort of record in the graph. It also keeps equal identifiers of different sorts apart.
type Noun string

// The nouns. Patients is the roll-up of all patients of one tenant: a board shows ninety of them, and an entry may carry
// 32 tags. It is the tenant's and not the practice's, because practices of one account share its patients.
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
)

// Graph says what is built from what. It has no cycle. A day's roster is built from no appointment: an appointment that is
// in doubt is still on its day, and only a look at the whole day says more.
var Graph = map[Noun][]Noun{
	NounPatients:    {NounPatient},
	NounBoard:       {NounDay, NounAppointment, NounPatients, NounDirectory, NounLocations},
	NounProviderDay: {NounAppointment, NounPatient, NounPatients, NounDirectory, NounLocations},
	NounCard:        {NounAppointment, NounPatient, NounDirectory, NounLocations},
}

// builtOn lists everything that is built, directly or not, on n, itself first.
func builtOn(n Noun) []Noun {
	out := []Noun{n}
	for i := 0; i < len(out); i++ {
		for parent, children := range Graph {
			if slices.Contains(children, out[i]) && !slices.Contains(out, parent) {
				out = append(out, parent)
			}
		}
	}
	return out
}

// Names gives the records of one tenant the names they have where people can look.
type Names struct{ sealer *phi.Sealer }

// NewNames returns the names of the tenant whose sealer is given.
func NewNames(s *phi.Sealer) Names { return Names{s} }

// Appointment names an appointment by the vendor's id.
func (n Names) Appointment(id phi.Text) phi.Ref { return n.ref(NounAppointment, id.Reveal()) }

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

// Card names the card of a patient at a practice, whichever day it begins with.
func (n Names) Card(practice string, patient phi.Text) phi.Ref {
	return n.ref(NounCard, practice+" "+patient.Reveal())
}

// cardFrom names the card that begins with a day, in the cache alone.
func (n Names) cardFrom(practice string, patient phi.Text, today civil.Date) phi.Ref {
	return n.ref(NounCard, practice+" "+patient.Reveal()+" "+today.String())
}

func (n Names) ref(noun Noun, id string) phi.Ref { return n.sealer.Ref(string(noun), id) }

// Record says which record changed, with the facts by which its collections are found.
type Record struct {
	Noun     Noun
	ID       phi.Text // an appointment's or patient's; empty for the others
	Practice string
	// The rest is an appointment's. One that moved, changed hands or came to another patient is two records, before and
	// after.
	Day       civil.Date // a day's too
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

// of names what stands for a record in a noun's place: the record itself for its own noun, or what it is rolled up into.
// Views have no name here: what they show of a record they carry under a name of their own (Views).
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
	case NounBoard, NounProviderDay, NounCard:
	}
	return ""
}
