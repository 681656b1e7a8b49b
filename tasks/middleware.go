package tasks

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Run describes an attempt before its payload is opened. Nothing in it identifies a person.
type Run struct {
	// ID is the task's ID.
	ID string
	// Tenant is the tenant's alias. Empty if the task names no valid one.
	Tenant string
	// Kind is the task's kind. Empty if it is malformed.
	Kind string
	// Lane is the task's lane. A task in quarantine keeps the one that it came from.
	Lane string
	// Attempt is the number of the attempt, from 1.
	Attempt int
	// EnqueuedAt is the time of the demand. Zero if the header is malformed.
	EnqueuedAt time.Time
	// Headers are the task's headers, without those that other programs added.
	Headers map[string]string

	token uint64
}

// Next runs the rest of an attempt. OutcomeOf interprets its error.
type Next func(ctx context.Context, run *Run) error

// Middleware wraps the handling of each attempt. If it returns another error than next's, that
// error decides the outcome as a worker's error does.
type Middleware func(next Next) Next

// freshFor is the age up to which a demand's first attempt continues its trace. A later run would
// stretch that trace over hours, so it begins its own, which links to the demand's.
const freshFor = time.Minute

// Observe is the Middleware that records a span and the metrics of each attempt. The span of a
// first attempt within a minute of the demand continues the producer's trace; others only link to
// it. Both show how the run ended, also if an equal task then supersedes this one.
func Observe(next Next) Next {
	return func(ctx context.Context, run *Run) (err error) {
		began := time.Now()
		wait := began.Sub(run.EnqueuedAt)
		if run.Attempt == 1 && wait < freshFor {
			ctx = telemetry.Extract(ctx, run.Headers)
		} else {
			ctx = telemetry.Link(ctx, run.Headers)
		}
		ctx, span := telemetry.Start(ctx, telemetry.SpanTask, telemetry.Tenant(run.Tenant), telemetry.Kind(run.Kind),
			telemetry.Lane(run.Lane), telemetry.Task(run.ID), telemetry.Attempt(run.Attempt))
		if run.Attempt == 1 && !run.EnqueuedAt.IsZero() {
			telemetry.TaskWaited(ctx, run.Kind, run.Lane, max(0, wait))
		}
		defer func() {
			o := OutcomeOf(err)
			span.Set(telemetry.Outcome(o.State))
			span.End(string(o.Code))
			telemetry.TaskEnded(ctx, run.Kind, run.Lane, o.State, string(o.Code), time.Since(began))
		}()
		return next(ctx, run)
	}
}

// InTenant is the Middleware that puts the tenant into the context, where TenantOf finds it.
func InTenant(next Next) Next {
	return func(ctx context.Context, run *Run) error {
		if id, err := tenant.Parse(run.Tenant); err == nil {
			ctx = context.WithValue(ctx, tenantKey{}, id)
		}
		return next(ctx, run)
	}
}

type tenantKey struct{}

// TenantOf returns the alias of the tenant that InTenant put into ctx, for code that a worker calls
// without its job. It returns "" outside of a task.
func TenantOf(ctx context.Context) string {
	id, _ := ctx.Value(tenantKey{}).(tenant.ID)
	return id.String()
}
