package tasks

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Run is what is known of an attempt before its payload is opened. None of it
// identifies a person.
type Run struct {
	// ID is the task's ID.
	ID string
	// Tenant is the alias of the tenant. Empty when the task names none that
	// is valid.
	Tenant string
	// Kind is the task's kind. Empty when it is malformed.
	Kind string
	// Lane is where the task lay.
	Lane string
	// Attempt counts from 1.
	Attempt int
	// EnqueuedAt is when the task was asked for. Zero when it does not say.
	EnqueuedAt time.Time
	// Headers is those of ours that came with the task.
	Headers map[string]string
}

// Next is the rest of an attempt. Its error is read with OutcomeOf.
type Next func(ctx context.Context, run *Run) error

// Middleware is something that happens around each attempt. What it returns
// instead of Next's error is judged as a worker's error is.
type Middleware func(next Next) Next

// freshFor is how old a demand may be for its run to be part of its trace.
// Later ones have a trace of their own, linked to the demand's.
const freshFor = time.Minute

// Observe opens a span that continues the producer's trace, and counts the
// attempt.
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

// InTenant puts the tenant into the context, where TenantOf finds it.
func InTenant(next Next) Next {
	return func(ctx context.Context, run *Run) error {
		if id, err := tenant.Parse(run.Tenant); err == nil {
			ctx = context.WithValue(ctx, tenantKey{}, id)
		}
		return next(ctx, run)
	}
}

type tenantKey struct{}

// TenantOf returns the alias of the tenant that InTenant put into ctx, for code
// that a worker calls without its job. It is empty outside of a task.
func TenantOf(ctx context.Context) string {
	id, _ := ctx.Value(tenantKey{}).(tenant.ID)
	return id.String()
}
