package tasks

import "time"

var (
	_ Optioned  = SyncDirectory{}
	_ Validator = SyncDirectory{}
	_ Optioned  = SyncLocations{}
	_ Validator = SyncLocations{}
)

// SyncDirectory reads who works in a practice: its providers.
type SyncDirectory struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
}

// Kind returns "directory.sync".
func (SyncDirectory) Kind() string { return "directory.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncDirectory) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate refuses what is no practice.
func (a SyncDirectory) Validate() error { return checkID("practice", a.Practice) }

// SyncLocations reads where a practice sees patients.
type SyncLocations struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
}

// Kind returns "locations.sync".
func (SyncLocations) Kind() string { return "locations.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncLocations) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate refuses what is no practice.
func (a SyncLocations) Validate() error { return checkID("practice", a.Practice) }
