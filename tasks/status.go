package tasks

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// State is where a task is.
type State string

// The states.
const (
	// StateWaiting: it runs as soon as a worker has a slot.
	StateWaiting State = "waiting"
	// StateScheduled: it waits for its time.
	StateScheduled State = "scheduled"
	// StateRunning: a worker has it.
	StateRunning State = "running"
	// StateRetrying: it ran, and will again at NextAt.
	StateRetrying State = "retrying"
	// StateDone: it ended well, at most an hour ago. With the code
	// "superseded" an equal, later task does its work.
	StateDone State = "done"
	// StateDead: it is a dead letter.
	StateDead State = "dead"
	// StateUnknown: it never was, or ended more than an hour ago.
	StateUnknown State = "unknown"
)

// Status is what is known of a task. Fields that do not apply are zero.
type Status struct {
	// ID is the task's ID.
	ID string
	// State is where it is.
	State State
	// Tenant is the alias of the tenant, whom the answer may be shown to.
	Tenant string
	// Kind is the task's kind.
	Kind string
	// Lane is the lane it is in.
	Lane string
	// Code says why it waits or died.
	Code Code
	// Attempt counts the attempts that were begun and count.
	Attempt int
	// EnqueuedAt is when it was asked for.
	EnqueuedAt time.Time
	// NextAt is when it is to run: scheduled and retrying tasks only.
	NextAt time.Time
	// FinishedAt is when it ended: done and dead tasks only.
	FinishedAt time.Time
}

// Status tells how a task is. It fails with ErrID for what is no ID, and with
// ErrUnavailable. IDs are not secret: show the answer only to who may see
// Status.Tenant.
func (c *Client) Status(ctx context.Context, id string) (Status, error) {
	parsed, err := queue.ParseID(id)
	if err != nil {
		return Status{}, err
	}
	if c.rdb == nil {
		return Status{}, errNoRedis
	}
	s := Status{ID: id, Lane: parsed.Lane, State: StateUnknown}
	found, err := queue.Find(ctx, c.rdb, parsed)
	if err == nil {
		s.read(found)
	} else if !errors.Is(err, queue.ErrNoTask) {
		return Status{}, err
	}
	if s.State != StateUnknown && s.State != StateDead {
		return s, nil
	}
	// A task that ended leaves asynq after its outcome is written, so an
	// outcome that is missing now was not missed.
	o, err := c.runs.Outcome(ctx, parsed)
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
