package queue

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// recorder replaces Redis under asynq's client and captures the data that asynq would have stored.
// The encoded task is therefore exactly asynq's, and the producer's guarded script stores it.
//
// It has no state: it writes to the capture in the context of the call. A command that asynq's
// client does not send today reaches the nil interface inside and panics, which the tests of
// asynq.go would show.
type recorder struct{ redis.UniversalClient }

// capture receives one captured call.
type capture struct {
	id   ID
	call capturedCall
	err  error
}

type captureKey struct{}

// SAdd accepts asynq's registration of the queue. The producer registers the queue itself with
// every batch, so that a deleted queue reappears.
func (recorder) SAdd(ctx context.Context, _ string, _ ...any) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx)
	cmd.SetVal(1)
	return cmd
}

// EvalSha captures the arguments of the enqueue or schedule script and replies that the task was
// added.
func (recorder) EvalSha(ctx context.Context, _ string, keys []string, args ...any) *redis.Cmd {
	s, _ := ctx.Value(captureKey{}).(*capture)
	s.call, s.err = readCall(s.id, keys, args)
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(int64(1))
	return cmd
}
