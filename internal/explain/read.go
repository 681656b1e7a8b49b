package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Reader reads snapshots. It is safe for concurrent use.
type Reader struct {
	// Redis is a client of the queue's Redis. Required.
	Redis redis.UniversalClient
	// Kind returns the operation of the vendor that tasks of a kind call, or "", and how often such
	// a task may fail, or 0 if the kind is not known. Required.
	Kind func(kind string) (operation string, attempts int)
}

// Read reads a snapshot of a task that has not ended, and queue.ErrNoTask if there is none. It
// costs at most five round trips. What flow control knows is left out if its keys cannot be read.
func (r Reader) Read(ctx context.Context, id queue.ID) (Snapshot, error) {
	p, err := queue.FindPosition(ctx, r.Redis, id)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Position: p}
	s.Operation, s.MaxAttempts = r.Kind(p.Kind)
	if !s.Waits() {
		return s, nil
	}
	var refused *redisconn.ReplyError // the user may lack access to the keys of flow control
	if err := r.readPlace(ctx, &s); err != nil && !errors.As(err, &refused) {
		return Snapshot{}, fmt.Errorf("explain task: %w", err)
	}
	return s, nil
}

// readPlace reads what comes before the place of the task's call.
func (r Reader) readPlace(ctx context.Context, s *Snapshot) error {
	owner, err := tenant.Parse(s.Tenant)
	interval := budget.Documented(s.Operation)
	if _, ok := s.place(); !ok || interval == 0 || err != nil {
		return nil //nolint:nilerr // a task without a tenant has no budget
	}
	pace, err := budget.NewPace(budget.Options{Redis: r.Redis})
	if err != nil {
		return err
	}
	line, err := pace.Line(ctx, budget.Operation{Tenant: owner, Name: s.Operation, Interval: interval}, s.NextAt.Sub(s.Now))
	s.PlacesBefore, s.Pitch = line.Before, line.Pitch
	return err
}
