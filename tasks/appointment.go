package tasks

import "time"

var (
	_ Optioned  = SyncAppointment{}
	_ Validator = SyncAppointment{}
)

// SyncAppointment reads one appointment from the vendor. It costs the account less than reading the
// appointment's whole day.
type SyncAppointment struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Appointment is the appointment's ID.
	Appointment EntityID `json:"appointment"`
}

// Kind returns "appointment.sync".
func (SyncAppointment) Kind() string { return "appointment.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncAppointment) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate rejects identifiers that the vendor cannot have issued.
func (a SyncAppointment) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	return checkID("appointment", a.Appointment.Reveal())
}
