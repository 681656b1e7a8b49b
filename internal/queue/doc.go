// Package queue is the engine under the tasks. It adds tasks to asynq's queues, runs asynq's
// servers, and keeps the state that asynq lacks: which demands are one task, which run has a task,
// and how a task ended.
//
// # Lanes
//
// A lane is an asynq queue by urgency. Services have lanes of their own, service.lane. All keys of
// one task, asynq's and ours, have the lane as their hash tag, so each script stays on one slot of
// a cluster.
//
// # Demands
//
// A task's ID is digest.generation.lane. The digest identifies the work; the generation
// distinguishes the successive tasks of a digest. A record for each digest and lane lists the tasks
// that wait and the one that runs:
//
//	enqueue    A task waits that runs no earlier than demanded (pending,
//	           scheduled, booked, retry, parked, or popped but not started):
//	           the demand joins it, and moves a scheduled one forward.
//	           None does: the demand gets a task of its own.
//	pop        Another task of the digest runs: the popped one is parked, which
//	           means scheduled until that run ends.
//	start      The task leaves the list before user code runs, so that later
//	           demands get a task of their own.
//	requeue    The run ends but its task is to wait. It returns to the list, or
//	           an equal task that would run no later takes over: that one
//	           inherits the failures, the reason and the wait, and the ended
//	           one is superseded.
//	ack        The run is over: the parked task is the next of its lane.
//	replay     A dead task is to run again: demands join it. If an equal task
//	           that was demanded later waits to run now, runs or has run, that
//	           one does the work, unless its run has expired.
//
// A task keeps the latest time for which it was demanded, by Redis' clock; an heir keeps the later
// one. It is final when the run starts, so a run can find out whether all its demands have been
// met by others (LatestDemand). A replay marks the task that does its work, and demands it. The
// time is not known, and stays so, if an earlier release added the task.
//
// As a result, at most one task of a digest runs in a lane; a thousand equal demands during one
// wait cause one run, a demand during a run exactly one more; steady demand neither shortens a
// back-off nor adds attempts; and a dead task blocks nothing. A demand for which a user waits
// brings its twin forward, out of a back-off or in another lane, once in the twin's life.
//
// A booked task is scheduled for its place in the vendor's budget, which the caller has taken from
// its calendar. Its hash has the time for which it was demanded in the field booked, and demands
// join it as if it were scheduled for that time, or pending. A demand with an earlier place moves
// it there. The reply to a demand reports which place is not needed.
//
// A caller encodes for a guessed generation, its time in microseconds, because the payload is
// sealed to the ID. The script replies to a guess that is too low, or more than a day away from
// Redis' time, with the right generation.
//
// # Leases
//
// A pop gives the run a lease of 12 s by Redis' clock and a fencing token, which is greater than
// those of all earlier runs of the task. The worker renews its leases every 3 s. Every script that
// acts for a run compares the token first, so a run that has lost its task changes nothing: its end
// is ignored, its context is canceled with ErrLeaseLost, and Held reports it. asynq's own leases
// have no effect, and its recoverer finds nothing.
//
// asynq's acks name the task and not the run. A worker in which an earlier run of a task has not
// ended therefore takes no later one: it lets the task wait for a second. A Redis that is full
// refuses demands, but lets runs start, keep their leases and end, so that a queue can drain.
//
// Every worker looks for ended leases each second and returns their tasks to the front of their
// lane. After a time in which no worker did, Redis may have been unreachable: they wait four
// seconds, so that workers which live renew their leases and remove the marks of the runs that they
// have lost. A task that a shutdown interrupts also goes to the front. A record without a message
// is removed. One that asynq cannot decode is archived when it is popped.
//
// # Crashes
//
// Before user code starts, the run leaves a mark, which its end removes. If its lease ends first,
// that is a crash of the task. A worker that shuts down removes its marks, and one that was only
// frozen takes the crashes of its runs back. A crash counts for a day. After the second one the
// task moves to the quarantine lane under its own ID, where one task of the fleet runs at a time:
// its worker takes a turn, takes no other task while it has the turn, and waits until its handlers
// have ended. If they have not after 30 s, it returns the turn for five minutes. After a crash
// there, Crashed reports true, and the task is not run again.
//
// # Dependence on asynq
//
// Tasks become pending at their fraction of a second, by Redis' clock: every worker looks for them
// when the next one is due, and ten times a second. asynq's own forwarder, which looks once a
// second, is given Redis' clock too.
//
// asynq.go, message.go and the scripts under lua/ contain every name of a key or field and every
// script shape of asynq that this package uses beyond asynq's API. asynq's scripts that end a run
// are learned from asynq itself and run inside ours. The tests beside them run asynq itself and
// fail when one of these changes.
package queue
