// Package tasks is how the rest of the world asks for work, and how work is
// declared and run. It is the public face of the queue: a producer in another
// module needs nothing else.
//
// # Declaring a task
//
// A task is a struct with a Kind, "noun.verb", that holds identifiers and
// never a record:
//
//	type SyncPatient struct {
//		Practice string    `json:"practice"`
//		Patient  PatientID `json:"patient"`
//	}
//
//	func (SyncPatient) Kind() string { return "patient.sync" }
//
// What else it may have is optional and found by assertion: Options, Validate,
// UniqueKey, Version, Aliases; see Args. A type of an identifier that belongs
// to a person masks itself and has Reveal() string. Kinds of this package live
// in a file for each noun; kinds of other modules are as good.
//
// Kinds match exactly. testdata/wire.golden freezes each kind's name, JSON and
// lane, and the names of headers: a change there is a change of the wire.
//
// # Changing a task
//
// Decoding is strict: a member the worker does not know is refused. So every
// change of the JSON raises Version by one, and a worker that meets a newer
// version than its own leaves the task for a newer worker. Fields may be added;
// the newer worker must take their absence. Anything else is a new kind. To
// rename a kind, give the new one the old name in Aliases, deploy workers, then
// producers, and drop the alias when nothing of the old name waits.
//
// # The promise
//
// A task that Enqueue accepted is run at least once, unless the queue's Redis
// loses it; what matters is due again from the ledger then. It may run twice:
// after a crash, after a lost answer, and after a worker that was stopped while
// its handler would not end. So a worker must bear being run twice, and its
// comment says what happens then.
//
// Equal tasks are one while they wait: equal in tenant, lane, kind and
// UniqueKey. A demand while one waits joins it (Receipt.Joined); a demand while
// one runs causes exactly one run that begins after it; a dead task blocks
// nothing. A demand for an earlier time moves a scheduled task forward. The ID
// is lane-digest-generation, where the generation tells one wait from the next;
// package internal/queue tells how it moves.
//
// # How a run ends
//
// With three words, all of them error values; errors.go is their one home.
//
//	nil               done
//	plain error       again after a random wait (2 s doubling to 10 min, full
//	                  jitter); after Options.MaxAttempts a dead letter
//	Permanent(err)    a dead letter now
//	Later(t, reason)  again at t; counts nothing
//
// An error from elsewhere says the same by behaviour: NotBefore() (time.Time,
// string) is Later, Permanent() bool is Permanent. A cancelled context is
// Later, a panic is a plain error with the code "panic", an expired timeout one
// with the code "timeout". Redis keeps codes of errors, never their texts.
//
// A task that cannot be read (unknown kind, headers, seal, JSON, Validate) is a
// dead letter with a code, at once: running it again would change nothing.
// RouterOptions.Bury takes dead letters; while it fails, nothing dies.
//
// # What lies in Redis
//
// The payload is sealed with a key derived for the tenant and bound to tenant,
// kind and task ID: moved to another task it does not open. In clear are the
// kind, the ID, and these headers:
//
//	tenant        alias of the tenant
//	v             version of the kind's JSON
//	key           ID of the sealing key
//	enqueued_at   time of the demand, RFC 3339 with nanoseconds, UTC
//	traceparent   W3C trace context, if there is one
package tasks
