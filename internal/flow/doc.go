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
// # Retries
//
// The retry budget of an operation limits how many of an account's calls repeat one that has
// failed: a fifth of the calls that were answered, and one every ten seconds; ten may be saved up.
// A retry that finds none reserves one that is to come and waits for it, up to ten minutes. It is
// kept in Redis, for the whole fleet. Both kinds of retry count: those in the client, of attempts
// that were not sent, and those of tasks. A task that was refused here or throttled, or that waits
// for a locked login, has not failed.
//
// # In-flight caps
//
// A background call occupies a slot of its worker until the vendor has answered, so each process
// limits the calls of one tenant that are in flight, in three ways. By Little's law, latency × rate
// of them use all of the tenant's budget; half as many again may be in flight. Calls that time out
// are not counted in the latency, so a vendor that hangs for one tenant does not collect the slots
// of all. A tenant may have as many in flight as it leaves slots free, by weight: one tenant with a
// long backlog gets half of the slots, nine get a tenth each, and what is free serves the next one
// at once. Weights are relative to that of the heaviest tenant whose calls wait for free slots. Two
// calls are always allowed. A quarter of all places is reserved for interactive callers, which have
// slots of their own.
//
// The third limit compares what tenants use of the whole fleet, by start-time fair queueing. The
// time that the vendor takes for a tenant's background calls, divided by the tenant's weight,
// advances the tenant's virtual time in Redis. While callers wait, the fleet's virtual time is that
// of the waiting tenant that has used least. A tenant that is more than 10 s ahead of it gets no
// place beyond its two calls in a process where a caller of another tenant waits. It is ahead by no
// more than a minute of vendor time: what it used before is not held against it. It stays ahead
// while the tenant that has used least waits and uses nothing. A tenant that has been idle is
// neither ahead nor behind. While no caller waits, no tenant is ahead. Each process exchanges the
// figures of all its tenants in one script, once a second, or every 250 ms while tenants compete.
// Without Redis it shares its own places only.
//
// A caller waits for a place at most one interval and 2 s. If it is refused, it should return when
// a call of its tenant has probably ended, or when the others have caught up.
//
// # Breakers
//
// A call needs three breakers to be closed: that of the vendor's host, that of its tenant's
// credentials, and that of its tenant's operation. Package breaker holds their shared state, which
// all processes obey and cache for 250 ms. An open period is 5 s at first and doubles up to 25 s, a
// fifth more or less. After it one probe in the fleet is sent. The ramp after a closing divides the
// pace by four, then by two, for 2.5 s each.
//
// A failure may follow what a call asks for: a record that the vendor cannot read, a window that
// takes too long. It is therefore no evidence. It makes the host and the operation suspicious.
// [Flow.Probe] then repeats calls that are known to work, because they have succeeded in this
// process within an hour. Two that fail in a row open the breaker; for the host they are of two
// tenants, if the process knows two. One success ends the suspicion, and shows that the calls that
// had failed before are the fault of their records. Every success of another call does the same.
// So no mix of bad records opens a breaker while the vendor works. Without a call that is known to
// work no breaker opens either; the retry budget limits what is sent meanwhile. GetThrottles
// asks for nothing but the account, and is known to work from the start.
//
// The host is checked before operations: in its outage all operations fail. Proper responses of the
// vendor do not count as failures (throttled, not found, denied, invalid, conflict), nor do
// responses that cannot be read and calls that this process canceled. Operations that change
// something are never repeated; different calls of them that fail in a row open their breaker.
//
// The probe is the fastest call that is known to work, preferably not the one that was the last
// probe. Only if no process has sent one for three seconds, another caller's call is the probe.
//
// # Logins
//
// A refused login opens the breaker of its tenant's credentials at once, for an hour, because a
// vendor locks accounts that keep trying. The refusal is about that version of the credentials: a
// changed one is tried at once. Until a version has worked, one call with it is sent at a time in
// the fleet.
package flow
