package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// ErrNoTask means that asynq has no such task: it was never added, or it is done.
var ErrNoTask = errors.New("queue: no such task")

// Find returns a task that has not ended or is dead, and ErrNoTask otherwise.
func Find(ctx context.Context, rdb redis.UniversalClient, id ID) (Task, error) {
	info, err := find(ctx, rdb, id)
	if err != nil {
		return Task{}, err
	}
	found := []Task{readTask(info)}
	if found[0].State == StateScheduled {
		err = readParked(ctx, rdb, info.Queue, found)
	}
	return found[0], err
}

// find returns the record of a task in asynq. Its LastErr may be any text, and its payload is
// sealed.
func find(ctx context.Context, rdb redis.UniversalClient, id ID) (*asynq.TaskInfo, error) {
	i := inspector(ctx, rdb)
	info, err := i.GetTaskInfo(id.Lane, id.String())
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		info, err = i.GetTaskInfo(QuarantineOf(id.Lane), id.String())
	}
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return nil, ErrNoTask
	case ctx.Err() != nil:
		return nil, fmt.Errorf("find task: %w", ctx.Err())
	case err != nil:
		return nil, fmt.Errorf("find task: %w", redisconn.ErrUnavailable)
	}
	return info, nil
}

// bound passes the caller's context to Redis, because asynq's inspector takes none.
type bound struct {
	redis.UniversalClient
	ctx context.Context //nolint:containedctx // lives for one call
}

func (b bound) EvalSha(_ context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	return b.UniversalClient.EvalSha(b.ctx, sha, keys, args...)
}

func (b bound) Eval(_ context.Context, source string, keys []string, args ...any) *redis.Cmd {
	return b.UniversalClient.Eval(b.ctx, source, keys, args...)
}

func (b bound) SIsMember(_ context.Context, key string, member any) *redis.BoolCmd {
	return b.UniversalClient.SIsMember(b.ctx, key, member)
}

// inspector returns asynq's inspector with the caller's context.
func inspector(ctx context.Context, rdb redis.UniversalClient) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(bound{rdb, ctx})
}
