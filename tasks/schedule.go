package tasks

import (
	"errors"
	"time"
)

var (
	_ Optioned  = SyncSchedule{}
	_ Validator = SyncSchedule{}
)

// maxSpan is the longest window in days. A longer one is a mistake, not a schedule.
const maxSpan = 731

// MaxLookback is the largest Lookback of a SyncSchedule.
const MaxLookback = maxSpan

// SyncSchedule reads a practice's appointments of some days from the vendor and updates the
// documents and views that they change.
type SyncSchedule struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// From is the first day.
	From Date `json:"from"`
	// To is the last day. It equals From for a single day.
	To Date `json:"to"`
	// Lookback is how many days before From are requested too, up to the vendor's longest range in
	// all: a list of some days may lack the entries that began before them. 0 leaves the number to
	// the worker: 7 days, up to 14 if an entry is known to have begun then, and up to 59 for days
	// that were not read with as many yet.
	Lookback int `json:"lookback,omitzero"`
}

// Kind returns "schedule.sync".
func (SyncSchedule) Kind() string { return "schedule.sync" }

// Version is 2 since Lookback was added.
func (SyncSchedule) Version() int { return 2 }

// Options returns LaneSync and a timeout of a minute.
func (SyncSchedule) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate rejects a window that lacks a day, ends before it begins, or is longer than two years,
// and a lookback as long.
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
		return errors.New("from and to are more than two years apart")
	case a.Lookback < 0 || a.Lookback > MaxLookback:
		return errors.New("lookback must be 0 to 731")
	}
	return nil
}
