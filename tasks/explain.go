package tasks

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/explain"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// Reason is one reason why a task waits.
type Reason = explain.Reason

// ExpectedStart is when a task is expected to start, or why that is unknown.
type ExpectedStart = explain.Start

// Explanation describes a task, why it waits, and when it starts. Of a task that does not wait it
// has the Status alone.
type Explanation struct {
	Status
	// Reasons are the reasons why it waits, from the outermost to the task's own: if the first were
	// gone, the task would still wait for the second.
	Reasons []Reason
	// Start is the expected start.
	Start ExpectedStart
}

// Explain returns why the task with this ID waits and when it is expected to start. It fails as
// Status does, and like a Status, show an Explanation only to the tenant that it names. It costs at
// most six round trips to Redis.
func (c *Client) Explain(ctx context.Context, id string) (Explanation, error) {
	parsed, err := queue.ParseID(id)
	if err != nil {
		return Explanation{}, err
	}
	if c.rdb == nil {
		return Explanation{}, errNoRedis
	}
	s, err := explain.Reader{Redis: c.rdb, Kind: costOf}.Read(ctx, parsed)
	found := s.Explain()
	e := Explanation{Reasons: found.Reasons, Start: found.Start}
	e.Status, err = c.status(ctx, parsed, s.Task, err)
	return e, err
}

// costOf returns the operation that tasks of a kind call, and how often one may fail.
func costOf(kind string) (operation string, attempts int) {
	k, _ := FindKind(kind)
	return k.Operation, k.Options.MaxAttempts
}
