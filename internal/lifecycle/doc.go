// Package lifecycle starts and stops processes.
//
// [Main] opens and runs a process and returns its exit code. [WaitFor] waits at start for what the
// process depends on. [Run] runs a service until it is asked to stop or a part of it fails. [Stack]
// records how to undo what was started and undoes it in reverse. [Group] owns goroutines: it ends
// them and waits for them. [Health] answers the platform's probes.
//
// Stopping has a deadline. When it passes, the remaining steps still run, with a context that has
// ended: a connection that is closed in haste is better than one that is never closed.
package lifecycle
