package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// change is the body of POST /v1/invalidations.
type change struct {
	Practice string   `json:"practice" doc:"The practice's number." example:"7"`
	Noun     string   `json:"noun" enum:"appointment,patient,provider,practice" doc:"The type of the record."`
	ID       phi.Text `json:"id,omitempty" doc:"The record's number at the vendor; absent for a practice."`
}

type changeInput struct {
	Body change
}

// invalidation is the response to a change.
type invalidation struct {
	Queued codes.Code `json:"queued,omitempty" doc:"Why the record is not marked stale yet: cache_unavailable, cache_full or cache_read_only. Absent once it is."`
	Tasks  []receipt  `json:"tasks" nullable:"false" doc:"The tasks that read the record again. If the change is queued: the task that marks the record stale first."`
}

type invalidationOutput struct {
	Body invalidation
}

func (g *Gateway) registerInvalidations() {
	registerOperation(g, huma.Operation{
		OperationID: "create-invalidation", Method: http.MethodPost, Path: "/v1/invalidations", Tags: []string{"tasks"},
		Summary: "Report that a record changed at the vendor",
		Description: "Every reader sees the record and all views that contain it as stale before the call returns, and the event is in the log. " +
			"The returned tasks then read the record again. While the cache cannot be written, the change is queued instead, as the member queued says: " +
			"one task does all this before other tasks once the cache is back. Until then the process that answered serves the tenant's views as stale; others do so if they have seen the outage too.",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
	}, g.invalidate)
}

// nouns maps the nouns of the API to those of the store.
var nouns = map[string]practice.Noun{
	tasks.NounAppointment: practice.NounAppointment, tasks.NounPatient: practice.NounPatient,
	tasks.NounProvider: practice.NounDirectory, tasks.NounPractice: practice.NounPractice,
}

// invalidate first marks the record stale and then enqueues the tasks that read it again. If
// enqueueing fails, the mark remains, and the caller can safely repeat the request. If the cache
// does not take the mark, a task is to do both.
func (g *Gateway) invalidate(ctx context.Context, in *changeInput) (*invalidationOutput, error) {
	named := tasks.InvalidateEntity{Practice: in.Body.Practice, Noun: in.Body.Noun, ID: tasks.EntityID(in.Body.ID.Reveal())}
	if err := named.Validate(); err != nil {
		return nil, fail(codes.InvalidArguments, err.Error()) // names the member and holds no value
	}
	zone, err := g.practice(ctx, named.Practice)
	if err != nil {
		return nil, err
	}
	facts, err := g.mark(ctx, practice.Record{Noun: nouns[named.Noun], ID: in.Body.ID, Practice: named.Practice})
	if o := outage.Of(err); o != nil && o.Store == outage.Cache {
		out, err := g.demand(ctx, named)
		if err != nil {
			return nil, err
		}
		// After the demand: a recovery that listed the waiting changes before it does not count.
		g.Unavailable(ctx, o.Code())
		out.Body.Queued = o.Code()
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return g.demand(ctx, named.Reread(facts.Practice, tasks.DateOf(g.Now().In(zone)))...)
}

// mark marks a record stale, within the time that a read may take.
func (g *Gateway) mark(ctx context.Context, r practice.Record) (practice.Invalidated, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return g.Store.Invalidate(ctx, callerOf(ctx).Tenant, r, uuid.NewString())
}

// demand enqueues the tasks of a change.
func (g *Gateway) demand(ctx context.Context, args ...tasks.Args) (*invalidationOutput, error) {
	got, err := g.Tasks.EnqueueMany(ctx, callerOf(ctx).Tenant.String(), args)
	if err != nil {
		return nil, err
	}
	out := &invalidationOutput{}
	for i, r := range got {
		out.Body.Tasks = append(out.Body.Tasks, receipt{ID: r.ID, Kind: args[i].Kind(), Joined: r.Joined, Repeated: r.Repeated}) //nolint:gosec // a receipt for each of args
	}
	return out, nil
}
