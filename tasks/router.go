package tasks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// RouterOptions says what a Router needs to run tasks.
type RouterOptions struct {
	// Keys is the Tink keyset that producers have too. Required.
	Keys []byte
	// Redis is the queue's. Without it the router keeps no generations and no
	// outcomes: good for tests of workers only.
	Redis redis.UniversalClient
	// Bury takes each dead letter before its task is archived. While it
	// fails the task lives on. Defaults to nothing: asynq's archive, which
	// forgets, is then the only record.
	Bury func(ctx context.Context, d DeadLetter) error
	// Middleware is what happens around each attempt, outermost first. Defaults
	// to Observe, then InTenant.
	Middleware []Middleware
	// Logger gets a line for each dead letter and each panic. Defaults to
	// none.
	Logger *slog.Logger
}

// Router runs tasks: asynq's handler for all kinds. Register every kind with
// Handle before the first task comes; afterwards it is safe for concurrent use.
type Router struct {
	keys       *phi.Keys
	runs       *queue.Runs
	bury       func(ctx context.Context, d DeadLetter) error
	log        *slog.Logger
	middleware []Middleware
	routes     map[string]route
}

// route runs the tasks of one kind.
type route struct {
	version int
	// open decodes and validates the arguments. It returns their options and
	// the run that is to follow, or the code of what is wrong with them.
	open func(plain []byte) (task opened, code Code)
}

type opened struct {
	options Options
	work    func(ctx context.Context, run *Run) error
}

// NewRouter returns a Router that knows no kind yet.
func NewRouter(o RouterOptions) (*Router, error) {
	keys, err := phi.Parse(o.Keys)
	if err != nil {
		return nil, fmt.Errorf("new router: %w", err)
	}
	r := &Router{keys: keys, bury: o.Bury, log: o.Logger, middleware: o.Middleware, routes: map[string]route{}}
	if o.Redis != nil {
		r.runs = queue.NewRuns(o.Redis)
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.middleware == nil {
		r.middleware = []Middleware{Observe, InTenant}
	}
	return r, nil
}

// Handle registers the worker of T's kind and its aliases. It panics for a
// kind that is malformed or taken, for options that Enqueue would refuse, and
// for a version below 1: faults in the program that must not wait for the
// first task.
func Handle[T Args](r *Router, w Worker[T]) {
	var zero T
	if _, err := optionsOf(zero); err != nil {
		panic("tasks: handle " + zero.Kind() + ": " + err.Error()) //nolint:forbidigo // registration is loud
	}
	rt := route{version: versionOf(zero), open: func(plain []byte) (opened, Code) { return open(w, plain) }}
	for _, kind := range append([]string{zero.Kind()}, aliasesOf(zero)...) {
		if _, taken := r.routes[kind]; taken || !validKind(kind) || rt.version < 1 {
			panic("tasks: handle " + kind + ": kind is taken or malformed, or its version is below 1") //nolint:forbidigo // registration is loud
		}
		r.routes[kind] = rt
	}
}

// Kinds returns the kinds that have a worker, aliases included, in order.
func (r *Router) Kinds() []string { return slices.Sorted(maps.Keys(r.routes)) }

func open[T Args](w Worker[T], plain []byte) (opened, Code) {
	var args T
	if err := phi.Unmarshal(plain, &args); err != nil {
		return opened{}, codes.MalformedPayload
	}
	options, err := optionsOf(args)
	if err != nil || validate(args) != nil {
		return opened{}, codes.InvalidArguments
	}
	return opened{options, func(ctx context.Context, run *Run) error {
		return w.Work(ctx, &Job[T]{ID: run.ID, Tenant: run.Tenant, Lane: run.Lane, Attempt: run.Attempt, EnqueuedAt: run.EnqueuedAt, Args: args})
	}}, ""
}

// Delivery is a task as it comes from the queue, nothing of it trusted yet.
type Delivery struct {
	// ID is the task's ID.
	ID string
	// Lane is where it lay.
	Lane string
	// Kind is its type.
	Kind string
	// Failed counts the failures before this attempt.
	Failed int
	// Payload is the sealed arguments.
	Payload []byte
	// Headers is what came with them.
	Headers map[string]string
}

// ProcessTask runs one attempt for asynq. Read its error with OutcomeOf.
func (r *Router) ProcessTask(ctx context.Context, t *asynq.Task) error {
	d := Delivery{Kind: t.Type(), Payload: t.Payload(), Headers: t.Headers()}
	d.ID, _ = asynq.GetTaskID(ctx)
	d.Lane, _ = asynq.GetQueueName(ctx)
	d.Failed, _ = asynq.GetRetryCount(ctx)
	return r.Deliver(ctx, d)
}

// Deliver runs one attempt: ProcessTask for those who have no asynq. Its error
// is nil when the task is done; OutcomeOf reads any other.
func (r *Router) Deliver(ctx context.Context, d Delivery) error {
	a := &attempt{Router: r, d: d, began: time.Now()}
	a.h, a.headersErr = readHeaders(d.Headers)
	a.id, a.idErr = queue.ParseID(d.ID)
	run := &Run{
		ID: d.ID, Tenant: a.h.tenant.String(), Kind: d.Kind, Lane: d.Lane, Attempt: d.Failed + 1,
		EnqueuedAt: a.h.enqueuedAt, Headers: knownHeaders(d.Headers),
	}
	if !validKind(d.Kind) {
		run.Kind = "" // whatever it is, it is not repeated
	}
	next := Next(func(ctx context.Context, run *Run) error { return asError(a.record(ctx, run, a.run(ctx, run))) })
	for _, wrap := range slices.Backward(r.middleware) {
		next = wrap(next)
	}
	err := r.guard(ctx, run, func() error { return next(ctx, run) })
	var decided *decision
	if err == nil || errors.As(err, &decided) {
		return err
	}
	// Something around the task failed, not the task: it is treated alike.
	return asError(a.record(ctx, run, classify(ctx, err, d.Failed, defaultAttempts)))
}

// asError keeps a nil decision from becoming an error that is not nil.
func asError(d *decision) error {
	if d == nil {
		return nil
	}
	return d
}
