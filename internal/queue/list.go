package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// The states of a task in asynq, as its keys spell them.
const (
	StatePending   = "pending"
	StateActive    = "active"
	StateScheduled = "scheduled"
	StateRetry     = "retry"
	StateArchived  = "archived"
)

// Task is a task in a lane, as far as it may be shown.
type Task struct {
	// ID is the task's ID. Empty when it is not spelt as IDs are.
	ID string
	// Kind is its type. Empty when it is not spelt as kinds are.
	Kind string
	// Tenant is its tenant's alias. Empty when it names none that is valid.
	Tenant string
	// Code says why its last attempt ended without a result, as CodeOf tells
	// it. Empty when none did.
	Code codes.Code
	// Attempts counts its attempts that failed.
	Attempts int
	// EnqueuedAt is when it was demanded. Zero when it does not say.
	EnqueuedAt time.Time
	// NextAt is when it is due: scheduled and retried tasks only.
	NextAt time.Time
	// DiedAt is when it was archived: archived tasks only, to the second.
	DiedAt time.Time
	// Bytes is the size of its sealed payload.
	Bytes int

	raw string // the ID as asynq has it
}

// HeaderTenant is the header of a task that names its tenant's alias.
const HeaderTenant = "tenant"

// page is how many tasks are read at once.
const page = 500

// Tasks returns tasks of a lane in one state, those first that are next (for
// archived ones: that died first), at most limit.
func Tasks(ctx context.Context, rdb redis.UniversalClient, lane, state string, limit int) ([]Task, error) {
	var out []Task
	err := eachTask(ctx, rdb, lane, state, func(t Task) bool {
		out = append(out, t)
		return len(out) < limit
	}, min(limit, page))
	return out, err
}

// eachTask hands the tasks of one state to f, until it returns false. They are
// read in pages of size. Tasks may come or go meanwhile: one may then be
// missed, or seen twice.
func eachTask(ctx context.Context, rdb redis.UniversalClient, lane, state string, f func(Task) bool, size int) error {
	i := inspector(ctx, rdb)
	list, ok := map[string]func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		StatePending: i.ListPendingTasks, StateActive: i.ListActiveTasks, StateScheduled: i.ListScheduledTasks,
		StateRetry: i.ListRetryTasks, StateArchived: i.ListArchivedTasks,
	}[state]
	if !ok || !KnownLane(lane) || size < 1 {
		return errors.New("list tasks: no such lane or state, or none asked for")
	}
	for n := 1; ; n++ {
		infos, err := list(lane, asynq.PageSize(size), asynq.Page(n))
		switch {
		case errors.Is(err, asynq.ErrQueueNotFound):
			return nil // nothing was ever enqueued into it
		case ctx.Err() != nil:
			return fmt.Errorf("list tasks: %w", ctx.Err())
		case err != nil:
			return fmt.Errorf("list tasks: %w", redisconn.ErrUnavailable)
		}
		if len(infos) == 0 {
			return nil
		}
		tasks := make([]Task, len(infos))
		for i, info := range infos {
			tasks[i] = readTask(info)
		}
		if state == StateArchived {
			if err := readDeaths(ctx, rdb, lane, tasks); err != nil {
				return err
			}
		}
		for _, t := range tasks {
			if !f(t) {
				return nil
			}
		}
	}
}

// readDeaths reads when tasks were archived. The inspector tells when they
// last failed, which those that somebody archived by hand may never have.
func readDeaths(ctx context.Context, rdb redis.UniversalClient, lane string, tasks []Task) error {
	pipe := rdb.Pipeline()
	scores := make([]*redis.FloatCmd, len(tasks))
	for i, t := range tasks {
		scores[i] = pipe.ZScore(ctx, asynqKey(lane, suffixArchived), t.raw)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("list tasks: %w", redisconn.Clean(err))
	}
	for i, s := range scores {
		if s.Err() == nil { // gone meanwhile otherwise
			tasks[i].DiedAt = time.Unix(int64(s.Val()), 0).UTC()
		}
	}
	return nil
}

// AnyArchived reports whether one of the tasks of a lane is dead, whatever whoever
// names them takes them for.
func AnyArchived(ctx context.Context, rdb redis.UniversalClient, lane string, ids []string) (bool, error) {
	tasks := make([]Task, len(ids))
	for i, id := range ids {
		tasks[i].raw = id
	}
	if len(tasks) == 0 {
		return false, nil
	}
	err := readDeaths(ctx, rdb, lane, tasks)
	return slices.ContainsFunc(tasks, func(t Task) bool { return !t.DiedAt.IsZero() }), err
}

func readTask(info *asynq.TaskInfo) Task {
	t := Task{
		ID: word(info.ID), Kind: word(info.Type), Tenant: alias(info.Headers[HeaderTenant]), Code: CodeOf(info.LastErr),
		Attempts: info.Retried, Bytes: len(info.Payload), raw: info.ID,
	}
	if at, err := time.Parse(time.RFC3339Nano, info.Headers[HeaderEnqueuedAt]); err == nil {
		t.EnqueuedAt = at.UTC()
	}
	if info.State == asynq.TaskStateScheduled || info.State == asynq.TaskStateRetry {
		t.NextAt = info.NextProcessAt.UTC()
	}
	return t
}
