package tasks

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// Args is what a task is about: a struct (not a pointer) that marshals to JSON and holds
// identifiers, never a record. Args may also implement [Optioned], [Validator], [Versioned],
// [Aliased] and [UniqueKeyed]. These are found by type assertion, so a misspelled method is silently
// ignored; assert each where the type is declared:
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

// UniqueKeyed is implemented by Args that decide which tasks are equal. Without this method tasks of
// a kind are equal if their JSON is, whatever the order of its members.
type UniqueKeyed interface {
	Args
	// UniqueKey returns the same text for equal args. Redis holds a keyed digest of it.
	UniqueKey() string
}

// Options says how a task is queued and run. The zero value is a background
// task of a minute with ten attempts.
type Options struct {
	// Lane is one of the lanes. Defaults to LaneSync.
	Lane string
	// Timeout is how long one attempt may take, at most MaxTimeout. Defaults
	// to a minute.
	Timeout time.Duration
	// MaxAttempts is how many plain errors make a dead letter. Defaults to 10.
	MaxAttempts int
}

// The lanes, most urgent first.
const (
	// LaneInteractive is for what somebody waits for.
	LaneInteractive = queue.Interactive
	// LanePush carries changes to the vendor.
	LanePush = queue.Push
	// LaneSync keeps documents fresh.
	LaneSync = queue.Sync
	// LaneWarm rebuilds views before they are asked for.
	LaneWarm = queue.Warm
)

const (
	// MaxTimeout is the longest Options.Timeout.
	MaxTimeout = 30 * time.Minute
	// MaxPayload is the largest JSON of a task's arguments in bytes. They are
	// identifiers; asynq copies them with every heartbeat.
	MaxPayload = 8 << 10

	defaultTimeout  = time.Minute
	defaultAttempts = 10
)

// Job is one attempt of one task, as a Worker sees it.
type Job[T Args] struct {
	// ID is the task's ID: the same for every attempt.
	ID string
	// Tenant is the alias of the tenant.
	Tenant string
	// Lane is where the task lay: in LaneInteractive somebody waits for it.
	Lane string
	// Attempt counts from 1; what ended in Later did not count.
	Attempt int
	// EnqueuedAt is when the task was asked for, by the producer's clock.
	EnqueuedAt time.Time
	// Args is what was asked for, validated.
	Args T
}

// Worker runs the tasks of one kind. What Work returns is told in the package
// comment. The context ends with Options.Timeout and when the process is told
// to stop; Work must end soon after, and must not leave goroutines behind. It
// may be called many times at once, and twice for one task.
type Worker[T Args] interface {
	Work(ctx context.Context, job *Job[T]) error
}

// WorkerFunc is a Worker made of a function.
type WorkerFunc[T Args] func(ctx context.Context, job *Job[T]) error

// Work calls f.
func (f WorkerFunc[T]) Work(ctx context.Context, job *Job[T]) error { return f(ctx, job) }
