// Package flow decides when a call to the vendor may leave: it implements [tebra.Gate]. It is the only place that knows
// pace, breakers and in-flight caps; the client's door asks it before every attempt and tells it how each one went.
//
// # Pace
//
// The vendor allows one call per interval for each account and operation, and one exact interval still trips it. So
// grants are spaced by interval plus margin on Redis' clock, by one script that every process runs: there is no other way
// to a grant, and with Redis out of reach nothing starts. A grant is a time; who waits for it holds nothing but that
// time, at most Options.MaxWait. It is void when half the margin has passed, since a call that leaves late comes too
// close to the next one; the other half is the network's. A void grant gives its slot back unless a later one is out.
//
// The interval is the documented one until a throttle answer or [Flow.SetIntervals] names another. The margin is 20 % of
// it, at least 25 ms; every throttle answer at a known interval doubles it, up to one whole interval, and what was learnt
// fades within a day. After a throttle answer the operation rests for one spacing.
//
// # Shares
//
// Background callers leave room to wait behind them, so an interactive caller finds a slot within MaxWait. While
// interactive demand was seen in the last seconds, the background takes at most two slots in three and looks one slot
// ahead; otherwise it has them all. Of a tenant's in-flight calls a quarter is interactive's alone.
//
// # Refusals
//
// Who cannot go within MaxWait is refused with [Refused], which says when to come back. Background callers are booked:
// each refusal takes the next free place on the operation's calendar, so that a backlog spreads along the pace that will
// be possible and does not come back as a herd. A booking is advice and holds no slot; pace alone decides.
//
// # Breakers
//
//	closed ──failures──▶ open ──time──▶ probe due ──one probe in the fleet──▶ ramp ──▶ closed
//	                      ▲                  │ fails: twice as long              │ one failure
//	                      └──────────────────┴───────────────────────────────────┘
//
// There is one for the host, one per tenant and class of operations, and one per tenant's credentials; a call needs all
// three. Each process counts failures by itself; what it concludes is a hash in Redis that all obey, read through a
// cache of 250 ms. The ramp slows pace down four times, then twice, before it is full again. Refused credentials open
// their breaker at the first sight and for longer, because a vendor locks accounts that keep trying.
//
// What the vendor says no to for reasons of its own (throttled, not found, denied, invalid, conflict) is no failure, nor
// is what we gave up ourselves.
package flow
