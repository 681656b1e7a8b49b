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

// SyncPatients reads the patients of a practice who changed since the last time. One run reads one
// window of days and demands another for the rest.
type SyncPatients struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// From is the first day to read. The zero Date means the day on which the last sync ended.
	From Date `json:"from,omitzero"`
	// Days limits the window after the vendor cut an answer short. 0 means all days up to now.
	Days int `json:"days,omitzero"`
}

// Kind returns "patients.sync".
func (SyncPatients) Kind() string { return "patients.sync" }

// Options returns LaneSync and a timeout of three minutes.
func (SyncPatients) Options() Options { return Options{Lane: LaneSync, Timeout: 3 * time.Minute} }

// Validate rejects an invalid practice, and a window of a negative length or more than two years.
func (a SyncPatients) Validate() error {
	if a.Days < 0 || a.Days > maxSpan {
		return errors.New("days must be 0 to 731")
	}
	return checkID("practice", a.Practice)
}

// SweepPatients reads all patients of a practice, one page in each run. The task that reads the
// next page holds the position.
type SweepPatients struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Page is the vendor's key of the page. Empty means the first page.
	Page EntityID `json:"page,omitempty"`
	// Begun is the day on which the first page was read. It is zero for the first page alone.
	Begun Date `json:"begun,omitzero"`
	// Rows is how many patients the page has at most. 0 means as many as the vendor allows.
	Rows int `json:"rows,omitzero"`
	// Unread is how many rows of the pages before could not be read.
	Unread int `json:"unread,omitzero"`
}

// Kind returns "patients.sweep".
func (SweepPatients) Kind() string { return "patients.sweep" }

// Version is 2 since Rows and Unread were added.
func (SweepPatients) Version() int { return 2 }

// Options returns LaneSync and a timeout of three minutes.
func (SweepPatients) Options() Options { return Options{Lane: LaneSync, Timeout: 3 * time.Minute} }

// maxPage is the most patients of one page.
const maxPage = 1000

// Validate rejects an invalid practice, page or size, and a page without the day on which the sweep
// began.
func (a SweepPatients) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	if (a.Page == "") != a.Begun.IsZero() {
		return errors.New("page and begun come together")
	}
	if a.Rows < 0 || a.Rows > maxPage {
		return errors.New("rows must be 0 to 1000")
	}
	if a.Unread < 0 {
		return errors.New("unread must not be negative")
	}
	if a.Page == "" {
		return nil
	}
	return checkID("page", a.Page.Reveal())
}
