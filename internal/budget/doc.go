// Package budget limits how often each tenant calls each operation of the vendor. All processes on
// one Redis share the budgets. The package depends on tenant IDs and operation names only.
//
// # Pace
//
// The vendor allows one call per interval for each account and operation, and throttles a call that
// comes after exactly one interval. Calls are therefore one interval plus a margin apart, by Redis'
// clock. Nothing is sent while Redis is unreachable.
//
// A call takes two steps. Acquire reserves a slot: a time. The caller waits for it, at most
// Options.MaxWait, and holds nothing else. At the slot, Send permits the call if one spacing has
// passed since the last permission; else it names a later slot. A late call moves the slots behind
// it. The permission is good for a few milliseconds of the process's own clock. Confirm checks that
// immediately before the first byte; if the call is later, one script moves the permission to now,
// unless another call has got one since.
//
// A process that is stopped before Confirm asks again, however long it was stopped. One that is
// stopped after Confirm, before the first byte, sends its call too late: it may be too close to a
// call of another process, and the vendor refuses one of the two. Nothing but the vendor could
// prevent that. Only calls that were in these microseconds when the process stopped are concerned.
//
// # Interval and margin
//
// The interval is the documented one until a throttle response or [Pace.SetIntervals] names
// another. The margin begins with 10 % of the interval. It shrinks to 4 % while calls succeed that
// came as early as it allows. It grows by half when the vendor refuses one, or when a call is late
// by more than the margin: then the host is busy. A margin that was too small, and those less than
// a quarter above it, are not tried again for a day. After a throttle response the operation is
// blocked for one spacing.
//
// The interval from before a throttle response is tried again after 30 calls if it had never held,
// and after 2,000 if it had: then the vendor has changed it. Each refusal of such a trial
// multiplies the number by eight.
//
// # Failover and clocks
//
// The hash of a budget has the run id of its server. After a failover, a restart or the loss of the
// key, the first call waits for one whole spacing, because another one may have been sent a moment
// ago. When the server's clock is set back, all times in the hash move with it. When it jumps
// forward, each process keeps the interval to its own last call by its own clock; calls of two
// processes may then be too close, once. Redis has no other clock.
//
// # Shares
//
// An interactive call needs not wait behind the background's slots: the background call whose turn
// it takes waits for one more spacing. While background calls wait, at most three interactive calls
// go before one background call. A background caller that may wait for one spacing only,
// Demand.Ahead, neither occupies a worker for long nor loses its slot to those that go first.
//
// # Calendar
//
// A [Calendar] says when a call of an operation has a place in the budget. A place is advice and
// holds no slot; the pace alone decides. Places are slightly closer than slots, because a place
// that no call uses is lost, while a call that comes a little early waits or is refused. A refused
// background call takes the next free place of those that are kept for such calls, every second one
// while others have places: they do not all return at once, and never later because the others are
// many. One that must not return before some time takes the first place after that time, and the
// places before it stay free.
//
// Tasks are booked when they are enqueued. Flows, such as those of practices and of classes of
// tasks, have places of their own: those that have places at a time, or soon after it, divide the
// budget by weight, and what a flow does not use is the others'. The flows of one batch take their
// places in turn. A batch is booked a few thousand places at a time; those that Redis does not book
// soon go without. The places of a flow that were booked before others came
// stay, so that for a while there may be more places than slots. A task that joined another, or
// took a better place, releases its place. Beyond Options.Horizon places are spread evenly.
//
// [Pace.Forecast] reads a calendar and a budget to say when more calls would be sent, and books
// nothing. Its calls have the places that they would get, but whole spacings apart.
//
// A lost calendar costs order for a while and nothing else: its places begin at now again. So do
// those of a calendar whose places passed unused for half a minute.
package budget
