package tasks

import (
	"errors"
	"time"
)

// DayBoard is the view of all visits of one practice on one day.
const DayBoard = "day-board"

// WarmView puts a view into the cache before somebody asks for it.
type WarmView struct {
	// View is DayBoard.
	View string `json:"view"`
	// Practice is the practice's ID.
	Practice string `json:"practice"`
	// Date is the day the view shows.
	Date Date `json:"date"`
}

// Kind returns "view.warm".
func (WarmView) Kind() string { return "view.warm" }

// Options puts the task into LaneWarm; Interactive moves it.
func (WarmView) Options() Options { return Options{Lane: LaneWarm, Timeout: 30 * time.Second} }

// Validate refuses unknown views.
func (a WarmView) Validate() error {
	if a.View != DayBoard {
		return errors.New("unknown view")
	}
	if a.Date.IsZero() {
		return errors.New("date must be a day")
	}
	return checkID("practice", a.Practice)
}
