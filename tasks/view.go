package tasks

import (
	"errors"
	"time"
)

var (
	_ Versioned = WarmView{}
	_ Optioned  = WarmView{}
	_ Validator = WarmView{}
)

// The values of WarmView.View.
const (
	// DayBoard shows all visits of one practice on one day.
	DayBoard = "day-board"
	// ProviderDay shows one provider's visits of a day.
	ProviderDay = "provider-day"
	// PatientCard shows one patient's record, and the visits of the weeks that begin with the day.
	PatientCard = "patient-card"
)

// WarmView builds a view and caches it before a reader requests it. It calls no vendor operation.
type WarmView struct {
	// View is the type of the view: one of the constants.
	View string `json:"view"`
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Date is the day that the view shows or begins with.
	Date Date `json:"date"`
	// Provider is the provider's ID. Only ProviderDay takes it, and requires it.
	Provider string `json:"provider,omitempty"`
	// Patient is the patient's ID. Only PatientCard takes it, and requires it.
	Patient PatientID `json:"patient,omitempty"`
}

// Kind returns "view.warm".
func (WarmView) Kind() string { return "view.warm" }

// Version returns 2. Version 1 had only DayBoard.
func (WarmView) Version() int { return 2 }

// Options returns LaneWarm and a timeout of 30 seconds.
func (WarmView) Options() Options { return Options{Lane: LaneWarm, Timeout: 30 * time.Second} }

// Validate rejects an unknown view, a missing day, and a provider or patient that the view does not
// take or lacks.
func (a WarmView) Validate() error {
	switch {
	case a.View != DayBoard && a.View != ProviderDay && a.View != PatientCard:
		return errors.New("unknown view")
	case a.Date.IsZero():
		return errors.New("date must be a day")
	case a.View != ProviderDay && a.Provider != "":
		return errors.New("this view has no provider")
	case a.View != PatientCard && a.Patient != "":
		return errors.New("this view has no patient")
	}
	switch a.View {
	case ProviderDay:
		if err := checkID("provider", a.Provider); err != nil {
			return err
		}
	case PatientCard:
		if err := checkID("patient", a.Patient.Reveal()); err != nil {
			return err
		}
	}
	return checkID("practice", a.Practice)
}

// Source returns the task that reads what the view cannot do without from the vendor: the day's
// visits, or the patient's record. A caller that finds the view missing from the cache and waits
// for it enqueues this task with Interactive.
func (a WarmView) Source() Args {
	if a.View == PatientCard {
		return SyncPatient{Practice: a.Practice, Patient: a.Patient}
	}
	return SyncSchedule{Practice: a.Practice, From: a.Date, To: a.Date}
}
