// Package gateway is the HTTP API: it takes demands for tasks, serves reads of cached data, and
// streams changes as they happen. It never calls the vendor: if data is not cached, it enqueues a
// task that fetches it.
//
// # Authorization
//
// A caller sends a key as "Authorization: Bearer KEY"; the process stores only the key's SHA-256. A
// key is bound to one tenant, and a request's tenant comes from its key alone: no path, member or
// header names a tenant. Another tenant's resource gets the same response, byte for byte, as one
// that does not exist: every lookup is scoped to the caller's tenant, so no handler has to compare
// tenants, and none can omit the comparison.
//
// # Request limits
//
// The guard runs before every route and bounds what an unauthenticated or careless caller can cost:
// the length of URL, header and body, the time for reading a body, each key's request rate and
// concurrent requests, the streams of each key and of all keys, and the rate of requests without a
// known key. Bodies are JSON, decoded strictly; unknown members are refused, not ignored.
//
// # Responses
//
// Errors follow RFC 9457 with a stable code ("not_found") from package codes. problem.go has the
// status of each, and a page that the gateway serves. No error repeats anything of the request. A
// view carries the time at which the vendor last confirmed it (as_of, Data-As-Of, Age) and whether
// any part is known to have changed since (stale, Data-Stale). Its ETag is strong: a keyed digest
// of the body's bytes, which include as_of. A 304 repeats the age.
//
// A view that is not cached becomes a demand in the interactive lane, and the request waits up to
// two seconds for it. After that the response is 503 with Retry-After, and the demand stays queued.
//
// # Streams
//
// An event's id is its clock in the tenant's log, so a client that lost its connection resumes with
// Last-Event-ID and misses nothing. Every stream reads the log independently and writes at its
// client's pace. A client that accepts no data for ten seconds is disconnected; the log keeps about
// ten minutes of events for its return. If the log no longer has the events that follow the
// client's id, the stream sends the event "gap" with the id to continue from, and the client must
// reload what it shows.
//
// # The document
//
// huma derives the OpenAPI document and the binding of parameters from the same types;
// docs/openapi.json is the document's golden file. huma builds its errors through one process-wide
// function, which this package sets; no other package imports huma.
package gateway
