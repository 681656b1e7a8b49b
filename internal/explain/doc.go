// Package explain says why a task waits and when it starts. [Reader] reads a [Snapshot] of the
// queue's Redis, and [Snapshot.Explain] concludes from it alone.
//
// # The chain
//
// A task may wait for several reasons. They are listed from the outermost to the task's own: if
// the first were gone, the task would still wait for the second.
//
//	lane_paused          an operator has paused the lane
//	cache_unavailable, … workers take no tasks of the lane, because a store is unavailable
//	no_worker            no running worker serves the lane
//	quarantined          it runs alone, one task of the fleet at a time
//	equal_runs           an equal task runs; this one begins when that has ended
//	breaker              a breaker that its call needs is open
//	demanded_for_later   it was demanded for a later time
//	booked, pace, …      its place on the calendar of its operation
//	any other code       its own back-off: why its last attempt ended
//	no_free_worker       nothing else: workers take other tasks first
//
// A breaker that is to be tried again before the task is due is no reason, and no time that has
// passed is one.
//
// # The start
//
// The start is when a worker takes the task. It is a time only if every reason ends at a known one.
// Otherwise it is unknown, with the reason whose end is not known, and perhaps a time before which
// it will not be.
//
// A snapshot costs at most six round trips.
package explain
