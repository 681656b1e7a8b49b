package tasks

import (
	"errors"
	"time"
)

var (
	_ Optioned  = SyncSchedule{}
	_ Validator = SyncSchedule{}
)

// maxSpan is the longest window in days. Longer ones are somebody's mistake,
// not a schedule.
const maxSpan = 731

// SyncSchedule reads a practice's appointments of some days from the vendor
// and brings documents and views up to date.
type SyncSchedule struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// From is the first day.
	From Date `json:"from"`
	// To is the last day, the same as From for one day.
	To Date `json:"to"`
}

// Kind returns "schedule.sync".
func (SyncSchedule) Kind() string { return "schedule.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncSchedule) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate refuses windows without a day, backwards, or of more than two years.
func (a SyncSchedule) Validate() error {
	if err := checkID("practice", a.Practice); err != nil {
		return err
	}
	switch {
	case a.From.IsZero() || a.To.IsZero():
		return errors.New("from and to must be days")
	case a.From.Compare(a.To) > 0:
		return errors.New("from is after to")
	case a.From.Days(a.To) > maxSpan:
		return errors.New("more than two years")
	}
	return nil
}
