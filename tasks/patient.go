package tasks

import "time"

var (
	_ Optioned  = SyncPatient{}
	_ Validator = SyncPatient{}
)

// SyncPatient reads one patient from the vendor.
type SyncPatient struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Patient is the patient's ID.
	Patient PatientID `json:"patient"`
}

// Kind returns "patient.sync".
func (SyncPatient) Kind() string { return "patient.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncPatient) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate rejects identifiers that the vendor cannot have issued.
func (a SyncPatient) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	return checkID("patient", a.Patient.Reveal())
}
