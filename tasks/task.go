package tasks

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// Args is what a task is about: a struct (not a pointer) that marshals to JSON and holds
// identifiers, never a record. Args may also implement [Optioned], [Validator], [Versioned],
// [Aliased] and [UniqueKeyed]. These are found by type assertion, so a misspelled method is
// silently ignored; assert each where the type is declared:
//
//	var _ tasks.Validator = RefreshRoster{}
type Args interface {
	// Kind returns the task's type, "noun.verb" in lower case. It never changes once released.
	Kind() string
}

// Optioned is implemented by Args that choose a lane, a timeout or a number of attempts.
type Optioned interface {
	Args
	// Options returns how tasks of the kind are queued and run.
	Options() Options
}

// Validator is implemented by Args that can be wrong. Enqueue fails with ErrInvalid if Validate
// does, and a worker that receives such a task buries it with the code "invalid_arguments".
type Validator interface {
	Args
	// Validate returns an error that names the field and never holds its value: the error's text
	// reaches the caller of Enqueue.
	Validate() error
}

// Versioned is implemented by Args whose JSON has changed since its first release.
type Versioned interface {
	Args
	// Version returns the version of the JSON. The first is 1, which is also the version of Args
	// without this method. See the package comment on when to raise it.
	Version() int
}

// Aliased is implemented by Args whose kind was renamed.
type Aliased interface {
	Args
	// Aliases returns the former kinds that the worker of this kind still takes.
	Aliases() []string
}

// UniqueKeyed is implemented by Args that decide which tasks are equal. Without this method tasks
// of a kind are equal if their JSON is, whatever the order of its members.
type UniqueKeyed interface {
	Args
	// UniqueKey returns the same text for equal args. Redis holds a keyed digest of it.
	UniqueKey() string
}

// Options are how tasks of a kind are queued and run. The zero value means LaneSync, a minute for
// each attempt, and ten attempts.
type Options struct {
	// Lane is the lane in which tasks of the kind wait, unless Interactive moves them: one of the
	// constants, or a lane of the service's own, named service.lane. Each name has at most 32
	// lower-case letters, digits and hyphens. Defaults to LaneSync.
	Lane string
	// Timeout limits one attempt: 1 s to MaxTimeout. Defaults to a minute.
	Timeout time.Duration
	// MaxAttempts is the number of plain errors after which a task becomes a dead letter. Defaults
	// to 10.
	MaxAttempts int
}

// The lanes, most urgent first.
const (
	// LaneInteractive is for tasks that a person waits for.
	LaneInteractive = queue.Interactive
	// LanePush is for changes that go to the vendor.
	LanePush = queue.Push
	// LaneSync is for tasks that keep documents fresh.
	LaneSync = queue.Sync
	// LaneWarm is for views that are built before a reader requests them.
	LaneWarm = queue.Warm
)

const (
	// MaxTimeout is the longest Options.Timeout.
	MaxTimeout = 30 * time.Minute
	// MaxPayload limits the JSON of a task's arguments, in bytes. Arguments are identifiers, and
	// asynq copies them with every heartbeat.
	MaxPayload = 8 << 10

	defaultTimeout  = time.Minute
	defaultAttempts = 10
)

// Job is one attempt of one task, as its Worker receives it.
type Job[T Args] struct {
	// ID is the task's ID, which is the same for every attempt.
	ID string
	// Tenant is the tenant's alias.
	Tenant string
	// Lane is the task's lane. If it is LaneInteractive, a person waits for the task. A task in
	// quarantine keeps the lane that it came from.
	Lane string
	// Attempt is the number of the attempt, from 1. Attempts that ended in Later are not counted.
	Attempt int
	// Token is a fencing token: each run of the task has a greater one than those before. A store
	// that keeps the greatest can refuse a run that continues although another has begun. It is 0
	// outside of a worker.
	Token uint64
	// EnqueuedAt is the time of the demand, by the producer's clock.
	EnqueuedAt time.Time
	// DemandedAt is the latest time for which the task was demanded before this run began, by the
	// clock of the queue's Redis: that of the last demand that joined it, or the time for which
	// that demand was scheduled. Zero if it is not known, as outside of a worker.
	DemandedAt time.Time
	// Replayed reports that the task is a dead letter that an operator has replayed.
	Replayed bool
	// Args are the task's arguments. They are valid.
	Args T
}

// Held returns nil if the run that ctx belongs to still has its task, and an error whose outcome is
// Later if it may have lost it: the process was frozen, or Redis did not answer, and another worker
// may run the task. It costs no round trip. A worker calls it right before an effect that must not
// happen twice, and returns its error. Outside of a worker it returns nil.
func Held(ctx context.Context) error {
	if queue.Held(ctx) == nil {
		return nil
	}
	return Later(time.Now(), codes.LeaseExpired)
}

// Worker runs the tasks of one kind.
//
// Work runs one attempt. The package comment lists what its error means. The context ends after
// Options.Timeout, when the process shuts down or has lost the task, and when an operator cancels
// the task; Work must return soon after and leave no goroutine behind. Work is called concurrently,
// and may be called twice for one task.
type Worker[T Args] interface {
	Work(ctx context.Context, job *Job[T]) error
}

// WorkerFunc makes a Worker of a function.
type WorkerFunc[T Args] func(ctx context.Context, job *Job[T]) error

// Work calls f.
func (f WorkerFunc[T]) Work(ctx context.Context, job *Job[T]) error { return f(ctx, job) }
