package queue

import "slices"

// The lanes, most urgent first. They are frozen, because they are asynq queue names and part of
// every task's ID.
const (
	// Interactive is for tasks that a user waits for.
	Interactive = "interactive"
	// Push carries changes to the vendor.
	Push = "push"
	// Sync keeps documents fresh.
	Sync = "sync"
	// Warm rebuilds views before they are read.
	Warm = "warm"
	// Quarantine is for tasks that crashed a worker.
	Quarantine = "quarantine"
)

var lanes = []string{Interactive, Push, Sync, Warm, Quarantine}

// Lanes returns the lanes, most urgent first. The slice is the caller's own.
func Lanes() []string { return slices.Clone(lanes) }

// KnownLane reports whether name is a lane.
func KnownLane(name string) bool { return slices.Contains(lanes, name) }
