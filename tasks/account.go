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

// SyncPractices reads the practices of the tenant's account. The task becomes a dead letter if they
// differ from those in the tenant's settings, because the vendor then returns lists with no rows.
// It is about the whole account.
type SyncPractices struct{}

// Kind returns "practices.sync".
func (SyncPractices) Kind() string { return "practices.sync" }

// Options returns LaneSync and a timeout of a minute.
func (SyncPractices) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }
