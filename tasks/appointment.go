package tasks

import "time"

var (
	_ Optioned  = SyncAppointment{}
	_ Validator = SyncAppointment{}
)

// SyncAppointment reads one appointment from the vendor: cheaper than its day
// when only it is in doubt.
type SyncAppointment struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Appointment is the appointment's ID.
	Appointment EntityID `json:"appointment"`
}

// Kind returns "appointment.sync".
func (SyncAppointment) Kind() string { return "appointment.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncAppointment) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate refuses identifiers that the vendor cannot have given.
func (a SyncAppointment) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	return checkID("appointment", a.Appointment.Reveal())
}
