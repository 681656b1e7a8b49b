// Package queue is the engine under the tasks: it puts tasks into
// asynq's queues, runs asynq's servers, and keeps the little that asynq does
// not: which demands are one task, and how a task ended.
//
// # Lanes
//
// A lane is an asynq queue by urgency. Everything about one task, asynq's keys
// and ours, carries the lane as its hash tag, so each script stays on one slot
// of a cluster.
//
// # Generations
//
// A task's ID is lane-digest-generation. The digest says what is asked for; the
// generation tells one wait for it from the next. The current generation of a
// digest lies in its own key and moves in four scripts:
//
//	enqueue    no task of the current generation waits: it is added.
//	           One waits (pending, scheduled, retry, or popped but not
//	           started): the demand joins it; asked for earlier, a scheduled
//	           one moves forward.
//	           It is dead, or its hash is a leftover that no set lists: the
//	           generation moves on and the demand is added under the next.
//	start      before user code runs: g becomes g+1, so that a demand from
//	           here on waits for a run that begins after it.
//	give back  the run ends but its task will wait again (retry, later): g+1
//	           becomes g, so that demands join the waiting task. Where g+1 has
//	           been demanded meanwhile, g is superseded and is dropped: the
//	           run of g+1 begins later and does all that g would, no later
//	           than g would have.
//
//	revive     a dead task is to run again: its generation becomes the current
//	           one, so that demands join it. Where another task waits for the
//	           same, or began since, that one does it and the dead one goes.
//
// From this follows: a thousand equal demands while one waits cause one run;
// a demand while one runs causes exactly one more; a dead task blocks nothing.
// After a crash a demand may cause one run more than needed, never one less.
//
// A caller encodes for a generation it guesses, because the payload is sealed
// to the ID. The script answers a wrong guess with the right one. A generation
// key that is missing takes the guess, which is the caller's time in
// microseconds, if Redis' own clock is within a day of it, else the time of
// Redis. Keys live for a week past their last use, so that a seed is always
// above every generation that went before.
//
// # What we rely on in asynq
//
// asynq.go holds every key name and script shape of asynq's that we use beyond
// its API. The tests beside it run asynq itself and fail when one changes.
package queue
