package app

import (
	"context"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/tasks"
)

// middleware is the order of what happens around each attempt, outermost first. Inside of it the router finds the kind,
// opens and decodes the payload, and runs the worker. The trace comes first, so that a task refused for its tenant is
// seen; the tenant second, because everything below takes it from there.
var middleware = []tasks.Middleware{tasks.Observe, tasks.InTenant}

// Run is one attempt that ended.
type Run struct {
	Kind, Lane string
	Outcome    tasks.Outcome
	Counted    bool // the task failed: one of its attempts is spent, or it is dead
}

// pipeline is what the queue's server runs: the router, with the process' telemetry in reach.
type pipeline struct {
	*tasks.Router
	telemetry *telemetry.Telemetry
	ended     func(context.Context, Run)
}

var _ queue.Handler = pipeline{}

// ProcessTask runs one attempt.
func (p pipeline) ProcessTask(ctx context.Context, t *asynq.Task) error {
	err := p.Router.ProcessTask(telemetry.With(ctx, p.telemetry), t)
	if p.ended != nil {
		lane, _ := asynq.GetQueueName(ctx)
		outcome := tasks.OutcomeOf(err)
		p.ended(ctx, Run{Kind: t.Type(), Lane: lane, Outcome: outcome, Counted: outcome.State == tasks.OutcomeRetry || outcome.State == tasks.OutcomeDead})
	}
	return err
}
