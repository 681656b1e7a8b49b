package tasks

import (
	"errors"
	"time"
)

var (
	_ Optioned  = SyncPatients{}
	_ Validator = SyncPatients{}
	_ Optioned  = SweepPatients{}
	_ Validator = SweepPatients{}
)

// SyncPatients reads what has changed of a practice's patients since this was
// last done. One run reads one window of days; what is left becomes another.
type SyncPatients struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// From is where an earlier window ended. Zero is where the last sync ended.
	From Date `json:"from,omitzero"`
	// Days bounds the window, after an answer that the vendor cut. 0 is as many
	// days as there are to read.
	Days int `json:"days,omitzero"`
}

// Kind returns "patients.sync".
func (SyncPatients) Kind() string { return "patients.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncPatients) Options() Options { return Options{Lane: LaneSync, Timeout: 3 * time.Minute} }

// Validate refuses what is no practice, and windows of a negative length.
func (a SyncPatients) Validate() error {
	if a.Days < 0 || a.Days > maxSpan {
		return errors.New("days must be 0 to 731")
	}
	return checkID("practice", a.Practice)
}

// SweepPatients reads all patients of a practice, a page in each run. The place
// reached is in the task that reads the next page.
type SweepPatients struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Page is the vendor's key of the page. Empty is the first.
	Page EntityID `json:"page,omitempty"`
	// Begun is the day on which the first page was read. It is on all others.
	Begun Date `json:"begun,omitzero"`
}

// Kind returns "patients.sweep".
func (SweepPatients) Kind() string { return "patients.sweep" }

// Options puts the task into LaneSync; Interactive moves it.
func (SweepPatients) Options() Options { return Options{Lane: LaneSync, Timeout: 3 * time.Minute} }

// Validate refuses what is no practice or no page, and a page of a sweep that
// never began.
func (a SweepPatients) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	if (a.Page == "") != a.Begun.IsZero() {
		return errors.New("page and begun come together")
	}
	if a.Page == "" {
		return nil
	}
	return checkID("page", a.Page.Reveal())
}
