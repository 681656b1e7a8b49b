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

// The states of a task, as asynq's keys name them.
const (
	StatePending   = "pending"
	StateActive    = "active"
	StateScheduled = "scheduled"
	StateRetry     = "retry"
	StateArchived  = "archived"
)

// Task is the part of a task in a lane that may be shown.
type Task struct {
	// ID is the task's ID. Empty if it is not one of this package.
	ID string
	// Kind is its type. Empty if it or the ID is malformed.
	Kind string
	// State is its state in asynq.
	State string
	// Tenant is its tenant's alias. Empty if it or the ID is invalid.
	Tenant string
	// Code is why its last attempt ended without a result, as CodeOf returns it, or codes.Booked if
	// it is scheduled for its place in the vendor's budget. Empty if no attempt did.
	Code codes.Code
	// Attempts counts its attempts that failed.
	Attempts int
	// EnqueuedAt is the time of its demand. Zero if it carries none.
	EnqueuedAt time.Time
	// NextAt is when it is due; only for scheduled and retried tasks.
	NextAt time.Time
	// DiedAt is when it was archived, to the second; only for archived tasks.
	DiedAt time.Time
	// FailedAt is when its last attempt failed. Zero if none did.
	FailedAt time.Time
	// Bytes is the size of its sealed payload.
	Bytes int

	raw    string // the ID as asynq stores it
	parked bool   // scheduled until an equal task has ended, and then it is to run
}

// HeaderTenant is the header with the alias of a task's tenant.
const HeaderTenant = "tenant"

// page is the number of tasks that one request reads.
const page = 500

// Tasks returns at most limit tasks of a lane in one state, in the order in which they are due
// (archived tasks in the order in which they died).
func Tasks(ctx context.Context, rdb redis.UniversalClient, lane, state string, limit int) ([]Task, error) {
	var out []Task
	err := eachTask(ctx, rdb, lane, state, func(t Task) bool {
		out = append(out, t)
		return len(out) < limit
	}, min(limit, page))
	return out, err
}

// eachTask calls f with the tasks of one state until f returns false. It reads pages of the given
// size. If tasks come or go between pages, a task may be missed or seen twice.
func eachTask(ctx context.Context, rdb redis.UniversalClient, lane, state string, f func(Task) bool, size int) error {
	i := inspector(ctx, rdb)
	list, ok := map[string]func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		StatePending: i.ListPendingTasks, StateActive: i.ListActiveTasks, StateScheduled: i.ListScheduledTasks,
		StateRetry: i.ListRetryTasks, StateArchived: i.ListArchivedTasks,
	}[state]
	if !ok || !KnownLane(lane) || size < 1 {
		return errors.New("list tasks: no such lane or state, or no limit")
	}
	for n := 1; ; n++ {
		infos, err := list(lane, asynq.PageSize(size), asynq.Page(n))
		switch {
		case errors.Is(err, asynq.ErrQueueNotFound):
			return nil // no task was ever enqueued into it
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
		if state == StateScheduled {
			if err := readParked(ctx, rdb, lane, tasks); err != nil {
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

// readParked reads which scheduled tasks are parked, and which are booked.
func readParked(ctx context.Context, rdb redis.UniversalClient, lane string, tasks []Task) error {
	pipe := rdb.Pipeline()
	fields := make([]*redis.SliceCmd, len(tasks))
	for i, t := range tasks {
		fields[i] = pipe.HMGet(ctx, asynqTaskPrefix(lane)+t.raw, "parked", "booked")
	}
	if _, err := pipe.Exec(ctx); err != nil && !redisconn.IsReply(err) { // a damaged record is neither
		return fmt.Errorf("list tasks: %w", clean(err))
	}
	for i := range tasks {
		if f := fields[i].Val(); len(f) == 2 {
			tasks[i].parked = f[0] != nil
			if f[0] == nil && f[1] != nil {
				tasks[i].Code = codes.Booked
			}
		}
	}
	return nil
}

// readDeaths reads when tasks were archived. The inspector returns the time of the last failure,
// which is missing for tasks that an operator archived.
func readDeaths(ctx context.Context, rdb redis.UniversalClient, lane string, tasks []Task) error {
	pipe := rdb.Pipeline()
	scores := make([]*redis.FloatCmd, len(tasks))
	for i, t := range tasks {
		scores[i] = pipe.ZScore(ctx, asynqKey(lane, suffixArchived), t.raw)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("list tasks: %w", clean(err))
	}
	for i, s := range scores {
		if s.Err() == nil { // otherwise it was removed in the meantime
			tasks[i].DiedAt = time.Unix(int64(s.Val()), 0).UTC()
		}
	}
	return nil
}

// AnyArchived reports whether any of the named tasks of a lane is dead.
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
		State: info.State.String(), Code: CodeOf(info.LastErr), Attempts: info.Retried, Bytes: len(info.Payload), raw: info.ID,
	}
	if _, err := ParseID(info.ID); err == nil { // otherwise another program wrote all of it
		t.ID, t.Kind, t.Tenant = info.ID, word(info.Type), alias(info.Headers[HeaderTenant])
	}
	if at, err := time.Parse(time.RFC3339Nano, info.Headers[HeaderEnqueuedAt]); err == nil {
		t.EnqueuedAt = at.UTC()
	}
	if !info.LastFailedAt.IsZero() {
		t.FailedAt = info.LastFailedAt.UTC()
	}
	if info.State == asynq.TaskStateScheduled || info.State == asynq.TaskStateRetry {
		t.NextAt = info.NextProcessAt.UTC()
	}
	return t
}
