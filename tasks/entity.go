package tasks

import (
	"errors"
	"time"
)

var (
	_ Optioned  = InvalidateEntity{}
	_ Validator = InvalidateEntity{}
)

// The values of InvalidateEntity.Noun.
const (
	NounAppointment = "appointment"
	NounPatient     = "patient"
	NounProvider    = "provider"
	NounPractice    = "practice" // a practice's providers, its locations and its current day
)

// InvalidateEntity reports that a record changed at the vendor: a run invalidates its cached copies
// and demands a new read. It is for programs that have no access to the cache. Readers see the old
// data until the task runs.
type InvalidateEntity struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Noun is the type of the record: one of the constants.
	Noun string `json:"noun"`
	// ID is the record's ID. Only NounPractice allows an empty one.
	ID EntityID `json:"id,omitempty"`
}

// Kind returns "entity.invalidate".
func (InvalidateEntity) Kind() string { return "entity.invalidate" }

// Options returns LaneInteractive, because readers see old data until the task has run, and a
// timeout of 15 seconds.
func (InvalidateEntity) Options() Options {
	return Options{Lane: LaneInteractive, Timeout: 15 * time.Second}
}

// Validate rejects an unknown noun and identifiers that the vendor cannot have issued.
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

// Reread returns the tasks that read the record again after its copies became invalid. An
// appointment is read by itself, which costs the account half as much as its day and finds the day
// of one that was never seen. The practice is the one in which the appointment was last seen; ""
// means the task's own. Today is the practice's current day, which NounPractice needs.
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
