package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
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

// buryIn keeps dead letters in the ledger. What the ledger will never take (a payload that somebody blew up, headers that
// are no text) is kept without it: the letter that says that a task died must not itself keep the task alive.
func buryIn(l *ledger.Ledger, log *slog.Logger) func(context.Context, tasks.DeadLetter) error {
	return func(ctx context.Context, d tasks.DeadLetter) error {
		letter := ledger.DeadLetter{
			TaskID: d.TaskID, Tenant: tenant.ID(d.Tenant), Kind: d.Kind, Lane: d.Lane, Code: string(d.Code), Attempts: d.Attempts,
			EnqueuedAt: d.EnqueuedAt, DiedAt: d.DiedAt, Payload: d.Payload, Headers: d.Headers,
		}
		err := l.Bury(ctx, letter)
		if !errors.Is(err, ledger.ErrInvalid) {
			return err
		}
		log.WarnContext(ctx, "dead letter is kept without its payload", "task", d.TaskID, "code", d.Code, "error", err)
		if err = l.Bury(ctx, bare(letter)); !errors.Is(err, ledger.ErrInvalid) {
			return err
		}
		log.ErrorContext(ctx, "dead letter cannot be kept, this line is all there is", "tenant", d.Tenant, "task", d.TaskID,
			"kind", d.Kind, "code", d.Code, "error", err)
		return nil
	}
}

// bare is the letter without what came with the task and may be anything. Its task ID stays: without it there is nothing
// to keep.
func bare(d ledger.DeadLetter) ledger.DeadLetter {
	text := func(s string) string {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > 100 {
			return ""
		}
		return s
	}
	id, _ := tenant.Parse(d.Tenant.String()) // the zero ID for what is none
	return ledger.DeadLetter{
		TaskID: d.TaskID, Tenant: id, Kind: text(d.Kind), Lane: text(d.Lane), Code: text(d.Code),
		DiedAt: d.DiedAt,
	}
}
