// Package plan decides what is due and hands it to the queue.
//
// A schedule is a cron spec in a practice's own zone, perhaps limited to its opening hours. Its ticks are rows of the
// ledger, unique by tenant, schedule and instant; so any number of schedulers may run beside one another, without a
// leader: all of them compute the same ticks, the first to write a row has written it for everyone, and the queue's
// idempotency key lets only one enqueue of it through. A scheduler that dies between writing and enqueueing loses
// nothing, because every scheduler sends rows that are due and not sent.
//
// Losing the queue's Redis loses tasks, never ticks: the next tick asks for the same data again.
//
// What is due depends on the calendar only, and the calendar's time is an argument. Clock is the one place where a demo
// speeds it up.
package plan
