// Package plan decides what is due and enqueues it.
//
// A schedule is a cron spec in a practice's own zone, and may be limited to the practice's opening
// hours. Its ticks are rows in the ledger, unique by tenant, schedule and instant. Any number of
// schedulers may therefore run at the same time without a leader: all of them compute the same
// ticks, the first one that writes a row has written it for all, and the queue's idempotency key
// admits only one enqueue of it. A scheduler that dies between the write and the enqueue loses
// nothing, because every scheduler sends the rows that are due and not sent.
//
// A tick later than a cycle's calendar never counts as decided: the calendar of the scheduler that
// added it was ahead. A cycle recalls such ticks if they were sent, and sends them again when their
// time comes. A calendar in real time is the ledger's clock, so that it is the same for all.
//
// Losing the queue's Redis loses tasks but no ticks: the next tick demands the same data again.
//
// What is due depends on the calendar only, whose time is an argument. A demo speeds up the
// calendar through Clock and nowhere else.
package plan
