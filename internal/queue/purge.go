package queue

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

//go:embed lua/remove.lua
var removeSource string

var removeScript = redis.NewScript(removeSource)

var errState = errors.New("queue: tasks of this state are not removed")

// Removable reports whether tasks in this state can be removed: scheduled, retried and dead tasks
// can.
func Removable(state string) bool {
	return slices.Contains([]string{StateScheduled, StateRetry, StateArchived}, state)
}

// Old returns at most limit tasks of a lane in one state that died, or were demanded, before a
// time. A waiting task without the time of its demand counts as old. A scheduled task that waits
// for the end of an equal one is not returned: it is to run now, as a pending one is.
func Old(ctx context.Context, rdb redis.UniversalClient, lane, state string, before time.Time, limit int) ([]Task, error) {
	var out []Task
	if !Removable(state) {
		return nil, errState
	}
	err := eachTask(ctx, rdb, lane, state, func(t Task) bool {
		since := t.EnqueuedAt
		if state == StateArchived {
			since = t.DiedAt
		}
		if since.Before(before) && !t.parked && (state != StateArchived || !since.IsZero()) { // a zero time: removed in the meantime
			out = append(out, t)
		}
		return len(out) < limit
	}, page)
	return out, err
}

// Remove removes the tasks of a lane that are still in the state in which Old found them, and
// returns their number. The outcome of a removed waiting task is dead with codes.Purged. The caller
// resolves dead letters first: after an interruption the tasks are found again, and no dead letter
// lacks its task. One call is one step in Redis; pass a few hundred tasks at a time.
func Remove(ctx context.Context, rdb redis.UniversalClient, lane, state string, tasks []Task) (int, error) {
	switch {
	case !KnownLane(lane):
		return 0, errLane
	case !Removable(state):
		return 0, errState
	case len(tasks) == 0:
		return 0, nil
	}
	args := make([]any, 0, 2+len(tasks))
	args = append(args, asynqTaskPrefix(lane), state)
	byID := make(map[string]Task, len(tasks))
	for _, t := range tasks {
		args = append(args, t.raw)
		byID[t.raw] = t
	}
	removed, err := removeScript.Run(ctx, rdb, []string{asynqKey(lane, ":"+state)}, args...).StringSlice()
	if err != nil {
		return 0, fmt.Errorf("remove tasks: %w", clean(err))
	}
	if state == StateArchived {
		return len(removed), nil // dead tasks already have an outcome
	}
	return len(removed), endPurged(ctx, rdb, removed, byID)
}

// endPurged stores the outcome of tasks that were removed while they waited.
func endPurged(ctx context.Context, rdb redis.UniversalClient, removed []string, byID map[string]Task) error {
	pipe := rdb.Pipeline()
	for _, raw := range removed {
		id, err := ParseID(raw)
		if err != nil {
			continue // a malformed ID has no outcome
		}
		t := byID[raw]
		data, err := json.Marshal(Outcome{
			State: "dead", Code: codes.Purged, Tenant: t.Tenant, Kind: t.Kind, Attempts: t.Attempts, FinishedAt: time.Now().UTC(),
		})
		if err != nil {
			return fmt.Errorf("keep outcome: %w", err)
		}
		pipe.Set(ctx, id.outcomeKey(), data, outcomeLife)
	}
	if pipe.Len() == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("keep outcomes: %w", clean(err))
	}
	return nil
}
