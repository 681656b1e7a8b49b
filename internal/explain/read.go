package explain

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/breaker"
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
// costs at most six round trips. What flow control knows is left out if its keys may not be read.
func (r Reader) Read(ctx context.Context, id queue.ID) (Snapshot, error) {
	began := time.Now()
	p, err := queue.FindPosition(ctx, r.Redis, id)
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Position: p}
	s.Operation, s.MaxAttempts = r.Kind(p.Kind)
	owner, err := tenant.Parse(s.Tenant)
	if !s.Waits() || s.Operation == "" || err != nil {
		return s, nil //nolint:nilerr // a task without a tenant calls no vendor
	}
	for _, read := range []func() error{
		func() error { return r.readPlace(ctx, &s, owner) }, func() error { return r.readBreakers(ctx, &s, owner, began) },
	} {
		var refused *redisconn.ReplyError // the user may lack access to the keys of flow control
		if err := read(); err != nil && !errors.As(err, &refused) {
			return Snapshot{}, fmt.Errorf("explain task: %w", err)
		}
	}
	return s, nil
}

// readPlace reads what comes before the place of the task's call.
func (r Reader) readPlace(ctx context.Context, s *Snapshot, owner tenant.ID) error {
	interval := budget.Documented(s.Operation)
	if _, ok := s.place(); !ok || interval == 0 {
		return nil
	}
	pace, err := budget.NewPace(budget.Options{Redis: r.Redis})
	if err != nil {
		return err
	}
	line, err := pace.Line(ctx, budget.Operation{Tenant: owner, Name: s.Operation, Interval: interval}, s.NextAt.Sub(s.Now))
	s.PlacesBefore, s.Pitch = line.Before, line.Pitch
	return err
}

// readBreakers reads the breakers that the task's call needs. began is when the snapshot was begun.
func (r Reader) readBreakers(ctx context.Context, s *Snapshot, owner tenant.ID, began time.Time) error {
	found, err := breaker.Inspect(ctx, r.Redis, 0,
		breaker.Name{Scope: breaker.Host}, breaker.Name{Tenant: owner, Scope: breaker.Credential}, breaker.Name{Tenant: owner, Scope: s.Operation})
	for i := range found {
		b := &found[i]
		b.Since, b.Until = s.onRedis(b.Since, began), s.onRedis(b.Until, began)
		if f := b.Forced; f != nil {
			f.At, f.Until = s.onRedis(f.At, began), s.onRedis(f.Until, began)
		}
	}
	s.Breakers = found
	return err
}

// onRedis returns a time of this process's clock on that of Redis. The snapshot was begun at began.
func (s *Snapshot) onRedis(t, began time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return s.Now.Add(t.Sub(began))
}
