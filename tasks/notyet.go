package tasks

import (
	"context"
	"math/rand/v2"
	"time"
)

// This file is about tasks that only another release or keyset can run. While releases and keysets
// roll, a worker takes tasks of producers that are ahead of it, in any order of deployment.

const (
	// rollTime is how long a roll may take. A task that this worker cannot run is postponed until
	// it is that old.
	rollTime = 24 * time.Hour
	// notYetBase and notYetSpread are the wait before another worker, or this one's successor, may
	// try. The longest wait is below a minute, so that tasks resume soon after a deployment.
	notYetBase   = 25 * time.Second
	notYetSpread = 25 * time.Second
)

// notYet postpones a task whose kind, version or key this worker does not know. A task that is
// older than rollTime, or of which no release can have been the producer, is dead.
func (a *attempt) notYet(ctx context.Context, code Code) *decision {
	if !validKind(a.d.Kind) || a.h.enqueuedAt.IsZero() {
		return dead(code)
	}
	age := a.age()
	if age < 0 {
		age = a.refusedFor(ctx)
	}
	if age >= rollTime {
		return dead(code)
	}
	return later(time.Now().Add(notYetBase+rand.N(notYetSpread)), code)
}

// refusedFor returns the time since a worker first refused the task. It replaces the age of a task
// whose producer's clock is ahead, which might otherwise be postponed for as long as that clock is
// ahead.
func (a *attempt) refusedFor(ctx context.Context) time.Duration {
	if a.runs == nil || a.idErr != nil {
		return 0
	}
	since, err := a.runs.RefusedFor(ctx, a.d.Lane, a.id)
	if err != nil {
		a.log.WarnContext(ctx, "cannot read when a task was first refused", "task", a.d.ID, "error", err)
	}
	return since
}
