package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// State is the state of a task.
type State string

// The states of a task.
const (
	// StateWaiting means that the task runs as soon as a worker is free.
	StateWaiting State = "waiting"
	// StateScheduled means that the task was demanded for NextAt.
	StateScheduled State = "scheduled"
	// StateRunning means that a worker is running the task.
	StateRunning State = "running"
	// StateRetrying means that an attempt ended and the next begins at NextAt.
	StateRetrying State = "retrying"
	// StateDone means that the task succeeded within the last hour.
	StateDone State = "done"
	// StateSuperseded means that the task's last run did not succeed, and an equal, later task took
	// over its work, failures and wait within the last hour.
	StateSuperseded State = "superseded"
	// StateDead means that the task is a dead letter. An hour after its death it may become
	// StateUnknown, while the ledger keeps the dead letter.
	StateDead State = "dead"
	// StateExpired means that the task's work was not needed any more when it ran within the last
	// hour, and was not done. Code is why.
	StateExpired State = "expired"
	// StateUnknown means that the task never existed, or ended more than an hour ago.
	StateUnknown State = "unknown"
)

// Status describes a task. Fields that do not apply are zero.
type Status struct {
	// ID is the task's ID.
	ID string
	// State is its state.
	State State
	// Tenant is the tenant's alias. Only this tenant may see the status.
	Tenant string
	// Kind is its kind.
	Kind string
	// Lane is its lane.
	Lane string
	// Code is why it waits or died. Where another program stored a text that is not spelled as a
	// code, it is "hidden".
	Code Code
	// Attempt is the number of attempts that count, including a running one.
	Attempt int
	// EnqueuedAt is the time of the demand. Zero once the queue has dropped the task.
	EnqueuedAt time.Time
	// NextAt is when it runs, for StateScheduled and StateRetrying.
	NextAt time.Time
	// FinishedAt is when it ended, for StateDone, StateExpired, StateSuperseded and StateDead.
	FinishedAt time.Time
}

// Status returns the status of the task with this ID. A task that Redis does not know has the state
// StateUnknown and no error. Status fails with ErrID if id is malformed, and with ErrUnavailable.
// IDs are not secret: show the status only to the tenant that it names.
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	parsed, err := queue.ParseID(id)
	if err != nil {
		return Status{}, err
	}
	if c.rdb == nil {
		return Status{}, errNoRedis
	}
	found, err := queue.Find(ctx, c.rdb, parsed)
	return c.status(ctx, parsed, found, err)
}

// status returns the status of a task that was found in the queue, or not.
func (c *Client) status(ctx context.Context, id queue.ID, found queue.Task, err error) (Status, error) {
	s := Status{ID: id.String(), Lane: id.Lane, State: StateUnknown}
	if err == nil {
		s.read(found)
	} else if !errors.Is(err, queue.ErrNoTask) {
		return Status{}, err
	}
	if s.State != StateUnknown && s.State != StateDead {
		return s, nil
	}
	// A task leaves asynq after its outcome is recorded, so an outcome that is missing now did not
	// exist a moment ago.
	o, err := c.runs.Outcome(ctx, id)
	switch {
	case errors.Is(err, queue.ErrNoOutcome):
		return s, nil
	case err != nil:
		return Status{}, err
	}
	s.State, s.Code, s.Tenant, s.Kind = State(o.State), o.Code, o.Tenant, o.Kind
	s.Attempt, s.FinishedAt = o.Attempts, o.FinishedAt
	return s, nil
}

func (s *Status) read(t queue.Task) {
	s.Kind, s.Code, s.Tenant, s.EnqueuedAt, s.Attempt = t.Kind, t.Code, t.Tenant, t.EnqueuedAt, t.Attempts
	switch t.State {
	case queue.StatePending:
		s.State = StateWaiting
	case queue.StateScheduled:
		s.State, s.NextAt = StateScheduled, t.NextAt
	case queue.StateActive:
		s.State, s.Attempt = StateRunning, t.Attempts+1
	case queue.StateRetry:
		s.State, s.NextAt = StateRetrying, t.NextAt
	case queue.StateArchived:
		s.State, s.FinishedAt = StateDead, t.FailedAt
	}
}
