package tasks

import "time"

var (
	_ Optioned = SyncThrottles{}
	_ Optioned = SyncPractices{}
)

// SyncThrottles reads how often the vendor lets the tenant's account call each
// of its operations.
type SyncThrottles struct{}

// Kind returns "throttles.sync".
func (SyncThrottles) Kind() string { return "throttles.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncThrottles) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }

// SyncPractices reads which practices the tenant's account has. It becomes a
// dead letter when they are not those that the tenant was set up with, because
// then the vendor's lists come back empty.
type SyncPractices struct{}

// Kind returns "practices.sync".
func (SyncPractices) Kind() string { return "practices.sync" }

// Options puts the task into LaneSync; Interactive moves it.
func (SyncPractices) Options() Options { return Options{Lane: LaneSync, Timeout: time.Minute} }
