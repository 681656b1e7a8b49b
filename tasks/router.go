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

// RouterOptions configure a Router.
type RouterOptions struct {
	// Keys is the Tink keyset in JSON that producers also have. Required.
	Keys []byte
	// Redis is a client of the queue's Redis. The caller closes it. Without it the router records
	// neither starts nor outcomes, which suits only tests of workers.
	Redis redis.UniversalClient
	// Bury stores each dead letter before asynq archives its task. As long as it fails, the task
	// stays in the queue and is tried again. It may receive the same task twice. Defaults to no
	// function: asynq's archive, which drops old tasks, is then the only record.
	Bury func(ctx context.Context, d DeadLetter) error
	// Middleware wraps each attempt, outermost first. Nil means Observe, then InTenant.
	Middleware []Middleware
	// Logger receives a line for each dead letter, each panic, and each outcome that cannot be
	// recorded. Defaults to none.
	Logger *slog.Logger
}

// Router runs tasks of all kinds; it is the handler that asynq calls. Register every kind with
// Handle before the first task arrives. After that a Router is safe for concurrent use.
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
	// open decodes and validates the arguments. It returns the task, or the code that says what is
	// wrong with them.
	open func(plain []byte) (task opened, code Code)
}

type opened struct {
	options Options
	work    func(ctx context.Context, run *Run) error
}

// NewRouter returns a Router without any kind. It fails if the keyset is invalid.
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

// Handle registers w as the worker for T's kind and its aliases. It panics if a kind is malformed
// or already has a worker, if Enqueue would reject T's options, and if T's version is below 1:
// these are errors of the program, and must not stay hidden until the first task.
func Handle[T Args](r *Router, w Worker[T]) {
	var zero T
	if _, err := optionsOf(zero); err != nil {
		panic("tasks: handle " + zero.Kind() + ": " + err.Error()) //nolint:forbidigo // a registration error is a program error
	}
	rt := route{version: versionOf(zero), open: func(plain []byte) (opened, Code) { return open(w, plain) }}
	for _, kind := range append([]string{zero.Kind()}, aliasesOf(zero)...) {
		if _, taken := r.routes[kind]; taken || !validKind(kind) || rt.version < 1 {
			panic("tasks: handle " + kind + ": kind is taken or malformed, or its version is below 1") //nolint:forbidigo // a registration error is a program error
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
		demandedAt, replayed := queue.LatestDemand(ctx)
		return w.Work(ctx, &Job[T]{
			ID: run.ID, Tenant: run.Tenant, Lane: run.Lane, Attempt: run.Attempt, Token: run.token, EnqueuedAt: run.EnqueuedAt,
			DemandedAt: demandedAt, Replayed: replayed, Args: args,
		})
	}}, ""
}

// Delivery is a task as it comes from the queue. None of it has been checked.
type Delivery struct {
	// ID is the task's ID.
	ID string
	// Lane is the lane from which it was taken.
	Lane string
	// Kind is its kind.
	Kind string
	// Failed counts the failed attempts before this one.
	Failed int
	// Payload is the arguments, sealed.
	Payload []byte
	// Headers are its headers.
	Headers map[string]string
}

// ProcessTask runs one attempt for asynq. OutcomeOf interprets its error.
func (r *Router) ProcessTask(ctx context.Context, t *asynq.Task) error {
	d := Delivery{Kind: t.Type(), Payload: t.Payload(), Headers: t.Headers()}
	d.ID, _ = asynq.GetTaskID(ctx)
	d.Lane, _ = asynq.GetQueueName(ctx)
	d.Failed, _ = asynq.GetRetryCount(ctx)
	return r.Deliver(ctx, d)
}

// Deliver runs one attempt as ProcessTask does, without asynq. Its error is nil if the task is
// done; OutcomeOf interprets any other.
func (r *Router) Deliver(ctx context.Context, d Delivery) error {
	a := &attempt{Router: r, d: d, began: time.Now()}
	a.h, a.headersErr = readHeaders(d.Headers)
	a.id, a.idErr = queue.ParseID(d.ID)
	a.shown = r.shown(d)
	h, _ := readHeaders(a.shown.Headers)
	run := &Run{
		ID: a.shown.ID, Tenant: h.tenant.String(), Kind: a.shown.Kind, Lane: d.Lane, Attempt: d.Failed + 1,
		EnqueuedAt: h.enqueuedAt, Headers: a.shown.Headers, token: queue.Token(ctx),
	}
	if a.idErr == nil && d.Lane == queue.QuarantineOf(a.id.Lane) {
		run.Lane = a.id.Lane
	}
	early := a.prepare(ctx)
	next := Next(func(ctx context.Context, run *Run) error {
		if early != nil {
			return asError(a.record(ctx, run, early))
		}
		return asError(a.record(ctx, run, a.run(ctx, run)))
	})
	for _, wrap := range slices.Backward(r.middleware) {
		next = wrap(next)
	}
	err := r.guard(ctx, run, func() error { return next(ctx, run) })
	var decided *decision
	if err == nil || errors.As(err, &decided) {
		return err
	}
	// A middleware failed, not the worker. Its error is classified in the same way.
	return asError(a.record(ctx, run, classify(ctx, err, d.Failed, defaultAttempts, a.age())))
}

// asError prevents a nil decision from becoming an error that is not nil.
func asError(d *decision) error {
	if d == nil {
		return nil
	}
	return d
}
