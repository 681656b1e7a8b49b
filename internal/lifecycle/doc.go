// Package lifecycle starts and stops what runs.
//
// [Stack] remembers how to undo what was started and undoes it in reverse. [Group] owns goroutines: whoever starts them
// there can stop them and waits until they have ended. [Run] drives a process from its start until it is told to stop or
// until a part of it fails, and [ExitCode] says how it ended. [Health] answers the platform's questions about all that.
//
// Stopping always has a deadline, and an ended deadline never skips a step: each step still runs and is told that no
// time is left, since a connection that nobody closes is worse than one closed in haste.
package lifecycle
