// Package breaker holds the state of the circuit breakers that all processes share. It decides
// nothing: processes count what they see (internal/flow) and publish their conclusion here, in one
// hash in Redis for each breaker, by Redis' clock.
//
//	closed ──opened──▶ open ──time──▶ probing ──one probe in the fleet──▶ ramp ──time──▶ closed
//	                     ▲                │ fails: open for longer           │ opened again
//	                     └────────────────┴──────────────────────────────────┘
//
// # Scopes
//
// There is one breaker for the vendor's host. Each tenant has one for its credentials, and one for
// each operation that it calls. A hash exists only for a breaker that has been open, or of a login
// that has worked.
//
// # Generations
//
// Each opening and each closing has a number, the generation. A process sends the generation that
// its conclusion is drawn from, and a conclusion from an earlier one changes nothing: twenty calls
// that fail in one outage open a breaker once.
//
// # Logins
//
// The breaker of a tenant's credentials opens for one login: a version of the credentials. Another
// login is tried at once. The hash also names the login that last worked; while a tenant uses
// another one, only one call in the fleet is sent, so that a wrong password costs one refusal and
// not one for each call.
//
// # Operators
//
// An operator can open or close a breaker until a given time. While it is forced open, no probe is
// sent. While it is forced closed, no evidence opens it.
package breaker
