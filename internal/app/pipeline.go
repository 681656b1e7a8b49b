package app

import (
	"context"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/tasks"
)

// middleware wraps each attempt, outermost first. Inside it the router finds the kind, opens and
// decodes the payload, and runs the worker. The trace is first, so that its span covers everything
// else. The tenant is in the context for workers' code that has no job: see tasks.TenantOf.
var middleware = []tasks.Middleware{tasks.Observe, tasks.InTenant}

// Run is one attempt that ended.
type Run struct {
	ID         string
	Kind, Lane string
	Outcome    tasks.Outcome
	Counted    bool // the attempt counts as a failure: the task is retried or dead
}

// pipeline is the queue server's handler: the router, with the process's telemetry in the context.
type pipeline struct {
	*tasks.Router
	telemetry *telemetry.Telemetry
	gate      *gate
	ended     func(context.Context, Run)
}

var _ queue.Handler = pipeline{}

// ProcessTask runs one attempt.
func (p pipeline) ProcessTask(ctx context.Context, t *asynq.Task) error {
	err := p.Router.ProcessTask(telemetry.With(ctx, p.telemetry), t)
	lane, _ := asynq.GetQueueName(ctx)
	outcome := tasks.OutcomeOf(err)
	p.gate.ended(ctx, lane, outcome.Code)
	if p.ended != nil {
		id, _ := asynq.GetTaskID(ctx)
		p.ended(ctx, Run{ID: id, Kind: t.Type(), Lane: lane, Outcome: outcome, Counted: outcome.State == tasks.OutcomeRetry || outcome.State == tasks.OutcomeDead})
	}
	return err
}
