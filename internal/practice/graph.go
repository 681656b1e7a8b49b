package practice

import (
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Noun names a sort of record in the graph. It also keeps equal identifiers of different sorts apart.
type Noun string

// The nouns. Patients is the roll-up of all patients of one tenant: a board shows ninety of them, and an entry may carry
// 32 tags. It is the tenant's and not the practice's, because practices of one account share its patients.
const (
	NounAppointment Noun = "appointment"
	NounPatient     Noun = "patient"
	NounPatients    Noun = "patients"
	NounDirectory   Noun = "directory"
	NounDay         Noun = "day"
	NounBoard       Noun = "day-board"
	NounPractice    Noun = "practice"
)

// Graph says what is built from what. It has no cycle.
var Graph = map[Noun][]Noun{
	NounDay:      {NounAppointment},
	NounPatients: {NounPatient},
	NounBoard:    {NounDay, NounPatients, NounDirectory},
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

// Directory names a practice's directory.
func (n Names) Directory(practice string) phi.Ref { return n.ref(NounDirectory, practice) }

// Day names the roster of a day.
func (n Names) Day(practice string, d Date) phi.Ref { return n.ref(NounDay, practice+" "+string(d)) }

// Board names the day board.
func (n Names) Board(practice string, d Date) phi.Ref {
	return n.ref(NounBoard, practice+" "+string(d))
}

func (n Names) ref(noun Noun, id string) phi.Ref { return n.sealer.Ref(string(noun), id) }

// Record says which record changed, with the facts by which its collections are found.
type Record struct {
	Noun     Noun
	ID       phi.Text // an appointment's or patient's; empty for the others
	Practice string
	Day      Date // an appointment's or a day's; an appointment that moved is two records, before and after
}

// Cascade returns the tags to bump when r changed: its own and that of every record built on it that is cached under a
// tag of its own. A board has none, it carries those of its parts.
func (n Names) Cascade(r Record) []cache.Tag {
	var out []cache.Tag
	for _, noun := range builtOn(r.Noun) {
		switch noun {
		case NounAppointment:
			out = append(out, cache.TagOf(n.Appointment(r.ID)))
		case NounPatient:
			out = append(out, cache.TagOf(n.Patient(r.ID)))
		case NounPatients:
			out = append(out, cache.TagOf(n.Patients()))
		case NounDirectory:
			out = append(out, cache.TagOf(n.Directory(r.Practice)))
		case NounDay:
			if r.Day != "" {
				out = append(out, cache.TagOf(n.Day(r.Practice, r.Day)))
			}
		case NounPractice:
			out = append(out, cache.TagOf(n.Practice(r.Practice)))
		case NounBoard:
		}
	}
	return out
}
