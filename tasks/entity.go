package tasks

import (
	"errors"
	"time"
)

var (
	_ Optioned  = InvalidateEntity{}
	_ Validator = InvalidateEntity{}
)

// The nouns that InvalidateEntity takes.
const (
	NounAppointment = "appointment"
	NounPatient     = "patient"
	NounProvider    = "provider"
	NounPractice    = "practice"
)

// InvalidateEntity says that a record changed at the vendor: what is cached of
// it is stale now, and is read anew. It is for those who cannot reach the cache
// themselves; until it runs, readers see the old data.
type InvalidateEntity struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Noun is what kind of record it is.
	Noun string `json:"noun"`
	// ID is the record's ID. Empty only for NounPractice.
	ID EntityID `json:"id,omitempty"`
}

// Kind returns "entity.invalidate".
func (InvalidateEntity) Kind() string { return "entity.invalidate" }

// Options puts the task into LaneInteractive: somebody sees old data until it
// has run.
func (InvalidateEntity) Options() Options {
	return Options{Lane: LaneInteractive, Timeout: 15 * time.Second}
}

// Validate refuses unknown nouns and what is no identifier.
func (a InvalidateEntity) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	switch a.Noun {
	case NounAppointment, NounPatient, NounProvider:
	case NounPractice:
		if a.ID == "" {
			return nil
		}
	default:
		return errors.New("unknown noun")
	}
	return checkID("id", a.ID.Reveal())
}

// Reread returns what brings the record back once its copies are invalid. An
// appointment is read by itself, which costs the account half of what its day
// costs and finds the day of one that was never seen. Its practice is where it
// was seen; "" when it was not. Today is the practice's day, for NounPractice.
func (a InvalidateEntity) Reread(practice string, today Date) []Args {
	switch a.Noun {
	case NounAppointment:
		if practice == "" {
			practice = a.Practice
		}
		return []Args{SyncAppointment{Practice: practice, Appointment: a.ID}}
	case NounPatient:
		return []Args{SyncPatient{Practice: a.Practice, Patient: PatientID(a.ID)}}
	case NounProvider:
		return []Args{SyncDirectory{Practice: a.Practice}}
	case NounPractice:
		return []Args{
			SyncDirectory{Practice: a.Practice},
			SyncLocations{Practice: a.Practice},
			SyncSchedule{Practice: a.Practice, From: today, To: today},
		}
	}
	return nil
}
