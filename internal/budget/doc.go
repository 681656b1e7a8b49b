// Package budget limits how often each tenant calls each operation of the vendor. All processes on
// one Redis share the budgets. The package depends on tenant IDs and operation names only.
//
// # Pace
//
// The vendor allows one call per interval for each account and operation, and throttles a call that
// comes after exactly one interval. Slots are therefore one interval plus a margin apart. One
// script grants them, on Redis' clock. Slots are granted in no other way, so nothing starts while
// Redis is unreachable. A slot is a time. A caller that waits for it holds nothing else, and waits
// at most Options.MaxWait. A slot is void once half the margin has passed, because a later call
// would come too close to the next one; the other half is for the network. A void slot can be
// refunded unless a later one has been granted.
//
// The interval is the documented one until a throttle response or [Pace.SetIntervals] names
// another. The margin is 20 % of the interval and at least 25 ms. Every throttle response at a
// known interval doubles it, up to one whole interval. The learned part fades within a day. After a
// throttle response the operation is blocked for one spacing.
//
// # Shares
//
// Background callers leave room to wait behind them, so that an interactive caller finds a slot
// within MaxWait. While interactive demand was seen in the last seconds, the background takes at
// most two slots in three and looks one slot ahead; otherwise it has all of them.
//
// # Calendar
//
// A [Calendar] says when a call of an operation has a place in the budget. A place is advice and
// holds no slot; the pace alone decides. Places are slightly closer than slots, because a place
// that nobody uses is lost, while a call that comes a little early waits or is refused. A refused
// background call takes the next free place of those that are kept for such calls: a backlog
// spreads over the slots to come, and its calls do not all return at once. One that must not return
// before some time takes the first place after that time, and the places before it stay free.
//
// Tasks are booked when they are enqueued. Flows, such as those of practices and of classes of
// tasks, have places of their own: those that have places ahead divide the budget by weight, and
// what a flow does not use is the others'. The places of a flow that were booked before others came
// stay, so that for a while there may be more places than slots. A task that joined another, or
// took a better place, gives its place back. Beyond Options.Horizon places are spread evenly.
//
// A lost calendar costs order for a while and nothing else: its places begin at now again. So do
// those of a calendar whose places passed unused for half a minute.
package budget
