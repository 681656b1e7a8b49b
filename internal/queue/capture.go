package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// recorder stands in for Redis under asynq's client and keeps what asynq would
// have stored. So the encoded task is asynq's own, whatever it puts into it,
// and our guarded script stores it.
//
// It has no state: what it records goes to the slip in the context of the
// call. Any command that asynq's client does not send today hits the nil
// interface inside and panics, which the tests beside asynq.go would show.
type recorder struct{ redis.UniversalClient }

// capture takes one recorded call.
type capture struct {
	id   ID
	call capturedCall
	err  error
}

type captureKey struct{}

// SAdd answers asynq's registration of the queue; the producer does that
// itself, again and again, since a deleted queue must come back.
func (recorder) SAdd(ctx context.Context, _ string, _ ...any) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx)
	cmd.SetVal(1)
	return cmd
}

// EvalSha records the enqueue or schedule script's arguments and answers that
// the task was added.
func (recorder) EvalSha(ctx context.Context, _ string, keys []string, args ...any) *redis.Cmd {
	s, _ := ctx.Value(captureKey{}).(*capture)
	s.call, s.err = readCall(s.id, keys, args)
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(int64(1))
	return cmd
}
