package tasks

import "time"

var (
	_ Optioned = SyncThrottles{}
	_ Optioned = SyncPractices{}
)

// SyncThrottles reads how often the vendor lets the tenant's account call each of its operations,
// and paces later calls by the answer. It is about the whole account.
type SyncThrottles struct{}

// Kind returns "throttles.sync".
func (SyncThrottles) Kind() string { return "throttles.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncThrottles) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// SyncPractices reads the practices of the tenant's account, and compares their numbers and names
// with the tenant's settings. A name that differs is used from then on, because the vendor returns
// lists with no rows for any other. Operators are alerted to it, and to a practice that cannot be
// read. It is about the whole account.
type SyncPractices struct{}

// Kind returns "practices.sync".
func (SyncPractices) Kind() string { return "practices.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncPractices) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }
