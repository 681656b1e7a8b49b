package tasks

import "time"

var (
	_ Optioned  = SyncDirectory{}
	_ Validator = SyncDirectory{}
	_ Optioned  = SyncLocations{}
	_ Validator = SyncLocations{}
)

// SyncDirectory reads a practice's providers from the vendor.
type SyncDirectory struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
}

// Kind returns "directory.sync".
func (SyncDirectory) Kind() string { return "directory.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncDirectory) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate rejects an identifier that the vendor cannot have issued.
func (a SyncDirectory) Validate() error { return checkID("practice", a.Practice) }

// SyncLocations reads the locations from the vendor at which a practice sees patients.
type SyncLocations struct {
	// Practice is the practice's ID.
	Practice string `json:"practice"`
}

// Kind returns "locations.sync".
func (SyncLocations) Kind() string { return "locations.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncLocations) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// Validate rejects an identifier that the vendor cannot have issued.
func (a SyncLocations) Validate() error { return checkID("practice", a.Practice) }
