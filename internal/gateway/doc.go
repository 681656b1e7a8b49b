// Package gateway is the HTTP API: demands of tasks, reads of what is cached, and a live stream of what changes. It never
// calls the vendor: what has to be asked becomes a task.
//
// # Who may do what
//
// A caller has a key, given as "Authorization: Bearer KEY"; the process knows its SHA-256 only. A key is bound to one
// tenant, and the tenant of a request comes from the key alone: no path, member or header names one. What belongs to
// somebody else is answered as what does not exist, byte for byte: everything is looked up below the caller's tenant, so
// that there is nothing to compare and nothing to forget.
//
// # What may come in
//
// The guard stands before every route and bounds what a stranger or a careless caller can cost: the length of URL, header
// and body, how long a body may take, requests a second and at once for each key, streams for each key and altogether,
// and tries with unknown keys. Bodies are JSON, decoded strictly; members that nobody knows are refused, not ignored.
//
// # What goes out
//
// Errors are RFC 9457 with a code that stays ("not_found"); the codes are one table in problem.go, which also serves a
// page for each. No error repeats anything of the request. A view carries the time at which the vendor last confirmed it
// (as_of, Data-As-Of, Age) and whether something on it is known to have changed since (stale, Data-Stale). Its ETag is
// strong: a keyed digest of the body's bytes, as_of among them. A 304 says the age anew.
//
// What nobody has asked the vendor about yet is demanded with the urgency of somebody who waits, for two seconds at most;
// then the answer is 503 with Retry-After, and the demand stands.
//
// # Streams
//
// An event's id is its clock in the tenant's log, so a client that was cut goes on where it was with Last-Event-ID and
// misses nothing. Every stream follows the log for itself and writes at the pace of its reader. A reader that takes
// nothing for ten seconds is cut: the log keeps what it missed for some ten minutes. What the log no longer has is told
// as the event "gap", with the id to go on from: whoever gets it reads anew what it shows.
//
// # The document
//
// huma derives the OpenAPI document and the binding of parameters from the same types; docs/openapi.json is its golden
// file. huma makes its errors through one function of the process, which this package sets; it is the only one that
// imports huma.
package gateway
