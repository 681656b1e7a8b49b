package gateway

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/tasks"
)

// kinds are the kinds of task that the API offers.
var kinds = slices.DeleteFunc(tasks.Kinds(), func(k tasks.Kind) bool { return !k.External })

// argsOf returns the type of the kind's arguments.
func argsOf(k tasks.Kind) reflect.Type { return reflect.TypeOf(k.Args) }

// practiceOf returns the practice that the arguments of a task name. Every kind that the API offers
// has the field.
func practiceOf(a tasks.Args) string { return reflect.ValueOf(a).FieldByName("Practice").String() }

// demand is the body of POST /v1/tasks.
type demand struct {
	Kind        string         `json:"kind"`
	Args        jsontext.Value `json:"args"`
	At          *time.Time     `json:"at,omitempty"`
	Interactive bool           `json:"interactive,omitempty"`
}

type demandInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"200" doc:"Repeating a key within 48 hours returns the first call's task."`
	Body           demand
}

// receipt identifies the task that does the work of a demand.
type receipt struct {
	ID       string `json:"id" doc:"The task's id. It reveals nothing about the arguments." example:"aaaabbbbccccddddeeeeffffgg.1772442000000000.sync"`
	Kind     string `json:"kind" doc:"The task's kind." example:"schedule.sync"`
	Joined   bool   `json:"joined" doc:"Whether the demand joined an equal task that was already waiting."`
	Repeated bool   `json:"repeated" doc:"Whether the idempotency key was used before; this is the first call's task."`
}

type receiptOutput struct {
	Location string `header:"Location" doc:"The path of the task's status."`
	Body     receipt
}

func (g *Gateway) registerTasks() {
	registerOperation(g, huma.Operation{
		OperationID: "create-task", Method: http.MethodPost, Path: "/v1/tasks", Tags: []string{"tasks"},
		Summary:       "Enqueue a task",
		Description:   "While a task waits, equal ones join it: a thousand requests cost one run.",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, g.createTask)
	registerOperation(g, huma.Operation{
		OperationID: "get-task", Method: http.MethodGet, Path: "/v1/tasks/{task}", Tags: []string{"tasks"},
		Summary: "Read the status of a task", Errors: []int{http.StatusNotFound},
	}, g.getTask)
}

func (g *Gateway) createTask(ctx context.Context, in *demandInput) (*receiptOutput, error) {
	args, opts, err := g.parseDemand(ctx, in)
	if err != nil {
		return nil, err
	}
	got, err := g.Tasks.Enqueue(ctx, callerOf(ctx).Tenant.String(), args, opts...)
	if err != nil {
		return nil, err
	}
	return &receiptOutput{
		Location: "/v1/tasks/" + got.ID,
		Body:     receipt{ID: got.ID, Kind: args.Kind(), Joined: got.Joined, Repeated: got.Repeated},
	}, nil
}

// parseDemand decodes a demand and makes all checks that do not need the queue.
func (g *Gateway) parseDemand(ctx context.Context, in *demandInput) (tasks.Args, []tasks.Option, error) {
	i := slices.IndexFunc(kinds, func(k tasks.Kind) bool { return k.Name == in.Body.Kind })
	if i < 0 {
		return nil, nil, fail(codes.UnknownKind, "")
	}
	k := kinds[i]
	invalid := fail(codes.InvalidArguments, k.Name+" takes "+strings.Join(k.Members(), ", "))
	if len(in.Body.Args) == 0 {
		return nil, nil, invalid
	}
	args, err := k.Decode(in.Body.Args)
	if err != nil {
		return nil, nil, invalid
	}
	if v, ok := args.(tasks.Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, nil, fail(codes.InvalidArguments, err.Error()) // names the member and holds no value: see tasks.Args
		}
	}
	if _, err := g.practice(ctx, practiceOf(args)); err != nil {
		return nil, nil, err
	}
	opts, err := in.options(time.Now())
	return args, opts, err
}

// maxIdempotencyKey is the longest idempotency key in bytes.
const maxIdempotencyKey = 200

func (in *demandInput) options(now time.Time) ([]tasks.Option, error) {
	var opts []tasks.Option
	if at := in.Body.At; at != nil {
		// A minute allows for differences between clocks; an older time is the caller's mistake.
		if at.Before(now.Add(-time.Minute)) || at.After(now.AddDate(1, 0, 0)) {
			return nil, fail(codes.InvalidTime, "")
		}
		opts = append(opts, tasks.At(*at))
	}
	if in.Body.Interactive {
		opts = append(opts, tasks.Interactive())
	}
	if in.IdempotencyKey != "" {
		key := in.IdempotencyKey
		unprintable := func(r rune) bool { return r < ' ' || r > '~' }
		if len(key) > maxIdempotencyKey || strings.ContainsFunc(key, unprintable) {
			return nil, fail(codes.InvalidIdempotencyKey, "")
		}
		opts = append(opts, tasks.Once(key))
	}
	return opts, nil
}

type taskInput struct {
	Task string `path:"task" doc:"The id from the receipt."`
}

// status is a task as callers see it.
type status struct {
	ID         string      `json:"id" doc:"The task's id."`
	State      tasks.State `json:"state" enum:"waiting,scheduled,running,retrying,done,dead,superseded,expired" doc:"The task's state. A superseded task failed, and an equal, later one took over its work. The work of an expired task was not needed any more when it could run, and was not done; code says why. Tasks that have ended are kept for at least an hour."`
	Kind       string      `json:"kind" doc:"The task's kind."`
	Lane       string      `json:"lane" doc:"The queue that has the task."`
	Code       tasks.Code  `json:"code,omitempty" doc:"Why the task is waiting, dead or expired."`
	Attempt    int         `json:"attempt" doc:"How many attempts have started, without those that do not count."`
	EnqueuedAt *time.Time  `json:"enqueued_at,omitempty" doc:"When the task was enqueued; absent once it has ended."`
	NextAt     *time.Time  `json:"next_at,omitempty" doc:"When the task will run next."`
	FinishedAt *time.Time  `json:"finished_at,omitempty" doc:"When the task ended."`
	Reasons    []reason    `json:"reasons,omitempty" doc:"Why the task waits, from the outermost reason to its own: if the first were gone, it would still wait for the second. Absent if it does not wait."`
	Start      *start      `json:"start,omitempty" doc:"When the task is expected to start; absent if it does not wait."`
}

// reason is one reason why a task waits.
type reason struct {
	Code  tasks.Code `json:"code" doc:"The reason in one word, for programs." example:"lane_paused"`
	Text  string     `json:"text" doc:"The reason in plain words."`
	Since *time.Time `json:"since,omitempty" doc:"When it began; absent if that is not known."`
	Until *time.Time `json:"until,omitempty" doc:"When it ends; absent if that is not known."`
}

// start is when a task is expected to start.
type start struct {
	At        *time.Time `json:"at,omitempty" doc:"When a worker takes the task; absent if that is unknown."`
	NotBefore *time.Time `json:"not_before,omitempty" doc:"A time before which the task does not start, if at is unknown."`
	Text      string     `json:"text" doc:"How the time was computed, or why it is unknown."`
}

type statusOutput struct {
	RetryAfter string `header:"Retry-After" doc:"Seconds after which to read the status again; absent once the task has ended."`
	Body       status
}

// explain adds why the task waits, without the operator who caused a reason.
func (s *status) explain(e tasks.Explanation) {
	for _, r := range e.Reasons {
		s.Reasons = append(s.Reasons, reason{Code: r.Code, Text: r.Text, Since: timeOrNil(r.Since), Until: timeOrNil(r.Until)})
	}
	if len(e.Reasons) > 0 {
		s.Start = &start{At: timeOrNil(e.Start.At), NotBefore: timeOrNil(e.Start.NotBefore), Text: e.Start.Text}
	}
}

func (g *Gateway) getTask(ctx context.Context, in *taskInput) (*statusOutput, error) {
	s, err := g.Tasks.Explain(ctx, in.Task)
	switch {
	case errors.Is(err, tasks.ErrID):
		return nil, fail(codes.NotFound, "")
	case err != nil:
		return nil, err
	case s.State == tasks.StateUnknown || s.Tenant != callerOf(ctx).Tenant.String():
		return nil, fail(codes.NotFound, "")
	}
	out := &statusOutput{Body: status{
		ID: s.ID, State: s.State, Kind: s.Kind, Lane: s.Lane, Code: s.Code, Attempt: s.Attempt,
		EnqueuedAt: timeOrNil(s.EnqueuedAt), NextAt: timeOrNil(s.NextAt), FinishedAt: timeOrNil(s.FinishedAt),
	}}
	out.Body.explain(s)
	switch s.State {
	case tasks.StateDone, tasks.StateDead, tasks.StateSuperseded, tasks.StateExpired:
	default:
		out.RetryAfter = "1"
	}
	return out, nil
}

// timeOrNil returns nil for the zero time, so that JSON omits the member.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// arguments describes the members of the kinds' arguments, with the values of those that are enums.
var arguments = map[string]struct {
	about string
	enum  []any
}{
	"practice": {"The practice's number.", nil},
	"from":     {"The first day. For patients.sync it is optional, and defaults to where the last run ended.", nil},
	"to":       {"The last day; equal to the first for a single day.", nil},
	"date":     {"The day that the view shows or starts with.", nil},
	"patient":  {"The patient's number.", nil},
	"provider": {"The provider's number; only for provider-day.", nil},
	"lookback": {"How many days before the first are requested too, up to the vendor's longest range in all; 0 or absent leaves the number to the worker.", nil},
	"days":     {"How many days to read at most, after the vendor truncated an answer; 0 means no limit.", nil},

	"appointment": {"The appointment's number.", nil},
	"id":          {"The record's number at the vendor; absent for a practice.", nil},
	"view":        {"The view to build.", []any{tasks.DayBoard, tasks.ProviderDay, tasks.PatientCard}},
	"noun":        {"The type of the record.", []any{tasks.NounAppointment, tasks.NounPatient, tasks.NounProvider, tasks.NounPractice}},
}

// Schema describes a demand as one object for each kind.
func (demand) Schema(r huma.Registry) *huma.Schema {
	out := &huma.Schema{Description: "A kind with its arguments."}
	mapping := map[string]string{}
	for _, k := range kinds {
		args := r.Schema(argsOf(k), true, "")
		for member, s := range r.SchemaFromRef(args.Ref).Properties {
			s.Description, s.Enum = arguments[member].about, arguments[member].enum
			if member == "lookback" {
				s.Minimum, s.Maximum = new(0.0), new(float64(tasks.MaxLookback))
			}
		}
		name := strings.TrimPrefix(args.Ref, "#/components/schemas/") + "Demand"
		r.Map()[name] = &huma.Schema{
			Type: huma.TypeObject, Description: k.Description, AdditionalProperties: false, Required: []string{"kind", "args"},
			Properties: map[string]*huma.Schema{
				"kind":        {Type: huma.TypeString, Enum: []any{k.Name}},
				"args":        args,
				"at":          {Type: huma.TypeString, Format: "date-time", Description: "The earliest time to run, at most a year ahead; defaults to now."},
				"interactive": {Type: huma.TypeBoolean, Description: "Whether a person is waiting: the task then runs before those that keep data fresh."},
			},
		}
		ref := "#/components/schemas/" + name
		out.OneOf = append(out.OneOf, &huma.Schema{Ref: ref})
		mapping[k.Name] = ref
	}
	out.Discriminator = &huma.Discriminator{PropertyName: "kind", Mapping: mapping}
	return out
}
