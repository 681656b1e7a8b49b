// Package flow decides when a call to the vendor may be sent: it implements [tebra.Gate]. It
// combines budgets (internal/budget), breakers and in-flight caps; no other package knows all
// three. The client asks it before every attempt and reports the outcome of each attempt to it.
//
// # Refusals
//
// A call that cannot be sent within Options.MaxWait gets the error [Refused], which carries the
// time to try again. Refused background callers are booked one after another, so that a backlog
// spreads over the slots to come and its callers do not return all at once.
//
// # In-flight caps
//
// A background call occupies a slot of its worker until the vendor has answered, so each process
// limits the calls of one tenant that are in flight twice. By Little's law, latency × rate of them
// use all of the tenant's budget; half as many again may be in flight, so that a vendor that hangs
// for one tenant does not collect the slots of all. And a tenant may have as many in flight as it
// leaves slots free, by weight: one tenant with a long backlog gets half of the slots, nine get a
// tenth each, and what is free serves the next one at once. Two calls are
// always allowed. A quarter of all places is reserved for interactive callers, which have slots of
// their own.
//
// A caller waits for a place at most one interval and 2 s. If it is refused, it should return when
// a call of its tenant has probably ended.
//
// # Breakers
//
//	closed ──failures──▶ open ──time──▶ probe due ──one probe in the fleet──▶ ramp ──▶ closed
//	                      ▲                  │ fails: twice as long              │ one failure
//	                      └──────────────────┴───────────────────────────────────┘
//
// There is one breaker for the host, one per tenant and class of operations, and one per tenant's
// credentials. A call needs all three to be closed. Each process counts failures by itself. Its
// conclusion is stored in a hash in Redis that all processes obey and cache for 250 ms. The ramp
// divides the pace by four, then by two, before it is full again. Refused credentials open their
// breaker at the first refusal and for longer, because a vendor locks accounts that keep trying.
//
// Proper responses of the vendor do not count as failures (throttled, not found, denied, invalid,
// conflict), nor do responses that cannot be read and calls that this process canceled. Failures of
// the same call count once, because they may follow the record or the window that it asks for. Only
// the host's breaker counts each response that is not the vendor's: every call would get it.
package flow
