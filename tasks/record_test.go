package tasks

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// forgetful is a Redis client that fails the first n scripts that keep an outcome.
type forgetful struct {
	redis.UniversalClient
	n atomic.Int64
}

func (f *forgetful) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if !strings.Contains(strings.Join(keys, " "), ":o:") || f.n.Add(-1) < 0 {
		return f.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(errors.New("read tcp: connection reset"))
	return cmd
}

// A finished run is done also if Redis did not take its outcome at first.
func TestOutcomeIsRecordedWhenRedisIsBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rdb := &forgetful{UniversalClient: b.rdb}
	rdb.n.Store(3)
	r := b.router(t, RouterOptions{Redis: rdb})
	var runs atomic.Int64
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { runs.Add(1); return nil }))
	b.serve(t, r)
	id := b.enqueue(t, note{Text: "x"}).ID
	eventually(t, "it is done", func() bool {
		s := b.status(t, id).State
		if s == StateUnknown {
			t.Error("the status is that of a task that never existed")
		}
		return s == StateDone
	})
	if runs.Load() != 1 {
		t.Errorf("ran %d times", runs.Load())
	}
}

// A finished run whose outcome cannot be recorded stays in the queue.
func TestRunWithoutOutcomeStaysInTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.seal(t, note{Text: "x"})
	synctest.Test(t, func(t *testing.T) {
		rdb := &forgetful{UniversalClient: agreeable{}}
		rdb.n.Store(1 << 30)
		r := b.router(t, RouterOptions{Redis: rdb})
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeLater || o.Code != codes.QueueUnavailable {
			t.Errorf("outcome %+v", o)
		}
	})
}

// agreeable is a Redis client whose scripts all succeed.
type agreeable struct{ redis.UniversalClient }

func (agreeable) EvalSha(ctx context.Context, _ string, _ []string, _ ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetVal("OK")
	return cmd
}

// A Redis that is full takes the outcome of a run nevertheless.
func TestOutcomeIsRecordedInAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	rdb, err := redisconn.Dial(server.URL(), redisconn.Options{})
	must(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	b := setup(t)
	b.client, err = NewClient(ClientOptions{Redis: rdb, Keys: b.keys})
	must(t, err)
	r := b.router(t, RouterOptions{Redis: rdb})
	Handle(r, WorkerFunc[note](func(ctx context.Context, _ *Job[note]) error {
		return rdb.ConfigSet(ctx, "maxmemory", "1").Err()
	}))
	serveOn(t, rdb, r)
	id := b.enqueue(t, note{Text: "x"}).ID
	eventually(t, "it is done", func() bool {
		s := b.status(t, id).State
		if s == StateUnknown {
			t.Error("the status is that of a task that never existed")
		}
		return s == StateDone
	})
}

// asynq may give a run up at the moment at which it ends. Whichever of both asynq sees, the task
// stays in the queue.
func TestRunThatEndsAsItIsGivenUpStaysInTheQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, result := range map[string]error{"done": nil, "dead": Permanent(errPlain)} {
		r := b.router(t, RouterOptions{Bury: func(context.Context, DeadLetter) error { t.Error("buried"); return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { cancel(); return result }))
		if o := OutcomeOf(r.Deliver(ctx, b.seal(t, note{}))); o.State != OutcomeLater || time.Until(o.NextAt) > 2*time.Second {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
