package gateway

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// change is the body of POST /v1/invalidations.
type change struct {
	Practice string   `json:"practice" doc:"The practice's number." example:"7"`
	Noun     string   `json:"noun" enum:"appointment,patient,provider,practice" doc:"What kind of record it is."`
	ID       phi.Text `json:"id,omitempty" doc:"The record's number at the vendor; left out for a practice."`
}

type changeInput struct {
	Body change
}

// invalidation says what was done about a change.
type invalidation struct {
	Tasks []receipt `json:"tasks" nullable:"false" doc:"What reads the record anew."`
}

type invalidationOutput struct {
	Body invalidation
}

func (g *Gateway) registerInvalidations() {
	registerOperation(g, huma.Operation{
		OperationID: "create-invalidation", Method: http.MethodPost, Path: "/v1/invalidations", Tags: []string{"tasks"},
		Summary: "Say that a record changed at the vendor",
		Description: "Before the answer comes, every cached copy of the record and everything built on it is marked stale, " +
			"for all readers, and the event is in the log. Then it is read anew.",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound},
	}, g.invalidate)
}

// nouns are the records that may be named, with what they are to the cache.
var nouns = map[string]practice.Noun{
	tasks.NounAppointment: practice.NounAppointment, tasks.NounPatient: practice.NounPatient,
	tasks.NounProvider: practice.NounDirectory, tasks.NounPractice: practice.NounPractice,
}

// invalidate marks first and asks for the reading afterwards. When the second fails, the first stands, and saying it again
// does no harm.
func (g *Gateway) invalidate(ctx context.Context, in *changeInput) (*invalidationOutput, error) {
	named := tasks.InvalidateEntity{Practice: in.Body.Practice, Noun: in.Body.Noun, ID: tasks.EntityID(in.Body.ID.Reveal())}
	if err := named.Validate(); err != nil {
		return nil, fail(codeArguments, err.Error()) // names the member and holds no value
	}
	info, err := g.practice(ctx, named.Practice)
	if err != nil {
		return nil, err
	}
	owner := callerOf(ctx).Tenant
	record := practice.Record{Noun: nouns[named.Noun], ID: in.Body.ID, Practice: named.Practice}
	facts, err := g.Store.Invalidate(ctx, owner, record, uuid.NewString())
	if err != nil {
		return nil, err
	}
	args := named.Reread(facts.Practice, tasks.DateOf(g.Now().In(info.zone)))
	got, err := g.Tasks.EnqueueMany(ctx, owner.String(), args)
	if err != nil {
		return nil, err
	}
	out := &invalidationOutput{}
	for i, r := range got {
		out.Body.Tasks = append(out.Body.Tasks, receipt{ID: r.ID, Kind: args[i].Kind(), Joined: r.Joined, Repeated: r.Repeated})
	}
	return out, nil
}
