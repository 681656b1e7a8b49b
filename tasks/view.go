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

// The views.
const (
	// DayBoard is all visits of one practice on one day.
	DayBoard = "day-board"
	// ProviderDay is one provider's visits of a day.
	ProviderDay = "provider-day"
	// PatientCard is one patient's record, and the visits of the weeks that
	// begin with the day.
	PatientCard = "patient-card"
)

// WarmView puts a view into the cache before somebody asks for it.
type WarmView struct {
	// View is one of the views.
	View string `json:"view"`
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Date is the day the view shows or begins with.
	Date Date `json:"date"`
	// Provider is the provider's ID: for ProviderDay alone.
	Provider string `json:"provider,omitempty"`
	// Patient is the patient's ID: for PatientCard alone.
	Patient PatientID `json:"patient,omitempty"`
}

// Kind returns "view.warm".
func (WarmView) Kind() string { return "view.warm" }

// Version returns 2: since then there are other views than DayBoard.
func (WarmView) Version() int { return 2 }

// Options puts the task into LaneWarm; Interactive moves it.
func (WarmView) Options() Options { return Options{Lane: LaneWarm, Timeout: 30 * time.Second} }

// Validate refuses unknown views, and what is of another view.
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

// Source is the task that asks the vendor for what the view cannot be without:
// the day's visits, or the patient's record. Who meets a cold view and waits
// for it enqueues this, with Interactive.
func (a WarmView) Source() Args {
	if a.View == PatientCard {
		return SyncPatient{Practice: a.Practice, Patient: a.Patient}
	}
	return SyncSchedule{Practice: a.Practice, From: a.Date, To: a.Date}
}
