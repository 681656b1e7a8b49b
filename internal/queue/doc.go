// Package queue is the engine under the tasks. It adds tasks to asynq's queues, runs asynq's
// servers, and keeps the state that asynq lacks: which demands are one task, and how a task ended.
//
// # Lanes
//
// A lane is an asynq queue by urgency. All keys of one task, asynq's and ours, have the lane as
// their hash tag, so each script stays on one slot of a cluster.
//
// # Generations
//
// A task's ID is lane-digest-generation. The digest identifies the work; the generation
// distinguishes the successive tasks of a digest. The current generation of a digest is stored in
// its own key, and four scripts change it:
//
//	enqueue    No task of the current generation waits: the task is added.
//	           One waits (pending, scheduled, retry, or popped but not
//	           started): the demand joins it; a demand for an earlier time
//	           moves a scheduled task forward.
//	           It is dead, or its hash is a leftover that no set lists: the
//	           generation is incremented and the demand is added under the
//	           next one.
//	start      Before user code runs, g becomes g+1, so that later demands
//	           wait for a run that starts after them.
//	requeue    The run ends but its task will wait again (retry, later): g+1
//	           becomes g, so that demands join the waiting task. If g+1 was
//	           demanded in the meantime, g is superseded and dropped: the run
//	           of g+1 starts later and does the same work, no later than g
//	           would have.
//	replay     A dead task is to run again: its generation becomes current, so
//	           that demands join it. If an equal task waits, or started since,
//	           that one does the work and the dead task is removed.
//
// As a result, a thousand equal demands during one wait cause one run, a demand during a run causes
// exactly one more, and a dead task blocks nothing. After a crash a demand may cause one run more
// than needed, never one less.
//
// A caller encodes for a guessed generation, because the payload is sealed to the ID. The script
// replies to a wrong guess with the right generation. A missing generation key takes the guess,
// which is the caller's time in microseconds, if Redis' own clock is within a day of it, else
// Redis' time. Keys expire a week after their last use, so a new seed is always above every earlier
// generation.
//
// # Dependence on asynq
//
// asynq.go and the scripts under lua/ contain every name of a key or field and every script shape
// of asynq that this package uses beyond asynq's API. The tests beside them run asynq itself and
// fail when one of these changes.
package queue
