// Package tasks enqueues background work, and declares and runs it. It is the public face of the
// queue: a service in another module needs nothing else.
//
// # Declaring a task
//
// A task is a struct with a kind, "noun.verb". It holds identifiers and never a record:
//
//	type SyncPatient struct {
//		Practice string    `json:"practice"`
//		Patient  PatientID `json:"patient"`
//	}
//
//	func (SyncPatient) Kind() string { return "patient.sync" }
//
// It may have the methods of [Optioned], [Validator], [UniqueKeyed], [Versioned] and [Aliased]; see
// [Args]. An identifier that belongs to a person has a type that masks itself wherever it is
// printed and returns the value from Reveal() string, like [PatientID]. Each file of kinds in this
// package is about one noun. Kinds of other modules have the same rights.
//
// Kinds match exactly. testdata/wire.golden freezes the name, JSON and lane of each kind of this
// package and the names of the headers: a change of that file changes the wire format.
//
// # Changing a task
//
// Decoding is strict: a worker refuses a member that it does not know. So each change of the JSON
// raises the version by one, and a worker that receives a newer version than its own leaves the
// task to a newer worker. A change may only add fields, and the newer worker must accept tasks
// without them. Any other change needs a new kind. To rename a kind, return the old name from
// Aliases, deploy the workers, then the producers, and drop the alias when no task of the old name
// waits.
//
// # What is guaranteed
//
// A task that Enqueue accepts runs at least once, unless the queue's Redis loses it; the planner
// demands whatever matters again from the ledger. A task may run twice: after a crash, after a lost
// reply, and after a shutdown that its handler outlived. So running a worker twice must be safe,
// and its comment says what the second run does.
//
// Equal tasks are one task while they wait: equal in tenant, lane, kind and UniqueKey. A demand
// that finds its task waiting joins it (Receipt.Joined). At most one of equal tasks runs. However
// many demands arrive during a run, they cause exactly one more, which begins when that run has
// ended. If that run failed, the next one inherits its failures and its wait, so demands neither
// shorten a back-off nor add attempts; the status of the first is then StateSuperseded. A dead task
// blocks nothing.
//
// A demand for an earlier time moves a scheduled task forward. A demand for a later time than that
// of every equal task that waits gets a task of its own, which runs no earlier; at most 16 equal
// tasks wait, and further demands delay the last of them. Interactive also brings an equal task
// forward that waits after a failure or in the kind's own lane, once in its life.
//
// A task's ID is digest.generation.lane, and the generation distinguishes one wait from the next;
// package internal/queue describes how it changes.
//
// A worker holds a lease of 12 seconds on each task that it runs, and renews it. If the worker
// dies, the task runs again elsewhere within about 15 seconds. If a worker is frozen for longer,
// its run has lost the task: its context is canceled and its result ignored. Job.Token is a fencing
// token for stores that can compare it, and Held reports the loss before an effect.
//
// A task whose handler ends the process is a crash of the task. After the second crash it runs
// alone in quarantine, and after a crash there it is a dead letter with the code "crashed". A
// shutdown, a lost lease and SIGKILL after a shutdown are no crashes.
//
// # How a run ends
//
// A worker's error value decides, in one of five ways:
//
//	nil               done
//	plain error       retry after a random wait (2 s doubling to 10 min, full
//	                  jitter); a dead letter after Options.MaxAttempts
//	Permanent(err)    a dead letter now
//	Later(t, reason)  run again at t; not a failure, counts as no attempt
//	Expired(reason)   over without an effect: the work is not needed any more
//
// Errors of other packages take part by behavior: NotBefore() (time.Time, string) is Later, and
// Permanent() bool that returns true is Permanent. RetryNotBefore() (time.Time, string) is a plain
// error whose task waits at least until then, with the reason as its code meanwhile. A canceled
// context is Later, unless an operator canceled the task: that is a dead letter with the code
// "cancelled". A panic is a plain error with the code "panic", an attempt that exceeds its timeout
// one with the code "timeout".
//
// An error of a store of our own (queue, cache, ledger) that is unreachable, full or read-only is
// Later with a code such as "cache_unavailable", whatever the kind of the task.
//
// Redis, the ledger and the log keep the [Code] of an error and never its text; see [CodeOf].
//
// A task that cannot be read (headers, seal, JSON, Validate) becomes a dead letter with a code at
// once, because another attempt would change nothing. One of a kind, version or key that the worker
// does not know is Later until a day after its demand, and then a dead letter: releases and keysets
// may be deployed to producers and workers in any order. RouterOptions.Bury receives dead letters;
// as long as it fails, the task stays in the queue.
//
// # What Redis contains
//
// The payload is sealed with a key that is derived for the tenant, and bound to tenant, kind and
// task ID: copied to another task, it does not open. The kind, the ID and these headers are in
// clear:
//
//	tenant        the tenant's alias
//	v             version of the kind's JSON
//	key           ID of the sealing key
//	enqueued_at   time of the demand, RFC 3339 with nanoseconds, UTC
//	traceparent   W3C trace context, if there is one
package tasks
