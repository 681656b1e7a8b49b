package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// These tests run asynq itself. If one fails after an upgrade, review asynq.go and its users first.

// spy records the last parts of the keys of every script that asynq runs.
type spy struct {
	redis.UniversalClient
	mu    sync.Mutex
	calls map[string]shape
}

func (s *spy) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	names := make([]string, len(keys))
	for i, k := range keys {
		_, rest, _ := strings.Cut(k, "}")
		names[i], _, _ = strings.Cut(strings.TrimPrefix(rest, ":"), ":")
	}
	s.mu.Lock()
	s.calls[strings.Join(names, " ")] = shapeOf(keys)
	s.mu.Unlock()
	return s.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

func TestAsynqScriptShapes(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	s := &spy{UniversalClient: rdb, calls: map[string]shape{}}
	started := make(chan string, 8)
	release := make(chan struct{})
	srv := asynq.NewServerFromRedisClient(s, asynq.Config{
		Concurrency: 8, Queues: map[string]int{Sync: 1}, TaskCheckInterval: 10 * time.Millisecond,
		DelayedTaskCheckInterval: 10 * time.Millisecond, ShutdownTimeout: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
	})
	err := srv.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		started <- task.Type()
		switch task.Type() {
		case "retry":
			return errFailed
		case "archive":
			return asynq.SkipRetry
		case "requeue":
			<-release
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	c := asynq.NewClientFromRedisClient(rdb)
	for _, kind := range []string{"done", "retry", "archive", "complete", "requeue"} {
		opts := []asynq.Option{asynq.Queue(Sync)}
		if kind == "complete" {
			opts = append(opts, asynq.Retention(time.Hour))
		}
		if _, err := c.EnqueueContext(t.Context(), asynq.NewTask(kind, nil), opts...); err != nil {
			t.Fatal(err)
		}
		receive(t, started)
	}
	srv.Shutdown()
	close(release)

	stats := "processed processed"
	want := map[string]shape{
		"pending paused active lease":                                      shapeDequeue,
		"active lease t " + stats:                                          shapeAck, // done
		"active lease completed t " + stats:                                shapeAck,
		"t active lease retry processed failed processed failed":           shapeAck,
		"t active lease archived processed failed processed failed " + "t": shapeAck,
		"active lease pending t":                                           shapeAck, // requeue
		"lease":                                                            shapeExpired,
		"scheduled pending":                                                shapeForward,
		"retry pending":                                                    shapeForward,
	}
	got := map[string]shape{}
	for name := range want {
		if sh, ok := s.calls[name]; ok {
			got[name] = sh
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the keys of asynq's scripts changed (-want +got):\n%s\nall: %v", diff, s.calls)
	}
	for name, sh := range s.calls {
		if _, known := want[name]; !known && sh != shapeOther {
			t.Errorf("unknown script %q has shape %d", name, sh)
		}
	}
}

func TestAsynqKeysAndFields(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	c := asynq.NewClientFromRedisClient(rdb)
	for _, opts := range map[string][]asynq.Option{
		"now":   {asynq.TaskID("now")},
		"later": {asynq.TaskID("later"), asynq.ProcessIn(time.Hour)},
	} {
		if _, err := c.EnqueueContext(t.Context(), asynq.NewTask("x", nil), append(opts, asynq.Queue(Sync))...); err != nil {
			t.Fatal(err)
		}
	}
	if ids := rdb.LRange(t.Context(), asynqKey(Sync, suffixPending), 0, -1).Val(); !slices.Equal(ids, []string{"now"}) {
		t.Errorf("pending holds %q", ids)
	}
	if ids := rdb.ZRange(t.Context(), asynqKey(Sync, suffixSchedule), 0, -1).Val(); !slices.Equal(ids, []string{"later"}) {
		t.Errorf("scheduled holds %q", ids)
	}
	if !rdb.SIsMember(t.Context(), asynqQueues, Sync).Val() {
		t.Error("the queue is not registered")
	}
	for id, want := range map[string][]string{"now": {"msg", "pending_since", "state"}, "later": {"msg", "state"}} {
		got := slices.Sorted(slices.Values(rdb.HKeys(t.Context(), asynqTaskPrefix(Sync)+id).Val()))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fields of %s (-want +got):\n%s", id, diff)
		}
	}
}

// TestProducerStoresLikeAsynq compares the data of the producer with that of asynq's client.
func TestProducerStoresLikeAsynq(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{{}, time.Now().Add(time.Hour).Truncate(time.Second)} {
		ours, theirs := redistest.New(t), redistest.New(t)
		d := demand(Sync, "a")
		d.At = at
		id := enqueue(t, NewProducer(ours), d).ID
		payload, headers, _ := d.Encode(id)
		opts := []asynq.Option{asynq.Queue(Sync), asynq.TaskID(id), asynq.MaxRetry(maxRetry), asynq.Timeout(time.Minute)}
		if !at.IsZero() {
			opts = append(opts, asynq.ProcessAt(at))
		}
		_, err := asynq.NewClientFromRedisClient(theirs).EnqueueContext(t.Context(), asynq.NewTaskWithHeaders(d.Kind, payload, headers), opts...)
		if err != nil {
			t.Fatal(err)
		}
		must(t, ours.HDel(t.Context(), asynqTaskPrefix(Sync)+id, "demanded").Err()) // a field of this package
		if diff := cmp.Diff(dump(t, theirs), dump(t, ours)); diff != "" {
			t.Errorf("at %v (-asynq +ours):\n%s", at, diff)
		}
	}
}

// dump returns asynq's keys of a database as text, without timestamps.
func dump(t *testing.T, rdb *redis.Client) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, key := range rdb.Keys(t.Context(), "asynq:*").Val() {
		switch rdb.Type(t.Context(), key).Val() {
		case "hash":
			fields := rdb.HGetAll(t.Context(), key).Val()
			if len(fields["pending_since"]) == 19 {
				fields["pending_since"] = "nanoseconds"
			}
			out[key] = fmt.Sprintf("%q", fields)
		case "list":
			out[key] = fmt.Sprint(rdb.LRange(t.Context(), key, 0, -1).Val())
		case "zset":
			out[key] = fmt.Sprint(rdb.ZRangeWithScores(t.Context(), key, 0, -1).Val())
		case "set":
			out[key] = fmt.Sprint(rdb.SMembers(t.Context(), key).Val())
		}
	}
	return out
}

// TestAsynqRequeuesRunningTask shows that asynq requeues a task at its shutdown timeout while the
// handler still runs. Therefore the server cancels handlers a second earlier.
func TestAsynqRequeuesRunningTask(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	srv := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Queues: map[string]int{Sync: 1}, TaskCheckInterval: 10 * time.Millisecond, LogLevel: asynq.FatalLevel,
		ShutdownTimeout: 10 * time.Millisecond,
	})
	started, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	err := srv.Start(asynq.HandlerFunc(func(ctx context.Context, _ *asynq.Task) error {
		close(started)
		<-release
		ended <- ctx.Err()
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := asynq.NewClientFromRedisClient(rdb).EnqueueContext(t.Context(), asynq.NewTask("x", nil), asynq.Queue(Sync)); err != nil {
		t.Fatal(err)
	}
	receive(t, started)
	srv.Shutdown()
	if n := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(); n != 1 {
		t.Errorf("%d pending after shutdown, want the running one", n)
	}
	close(release)
	// The context ends after the requeue, too late to prevent two runs at once.
	if err := receive(t, ended); !errors.Is(err, context.Canceled) {
		t.Errorf("the handler's context afterwards: %v", err)
	}
}

func TestReadCallRefusesUnknownCalls(t *testing.T) {
	t.Parallel()
	id := ID{Lane: Sync, Digest: digest("a"), Generation: 7}
	task, pending, scheduled := asynqTaskPrefix(Sync)+id.String(), asynqKey(Sync, suffixPending), asynqKey(Sync, suffixSchedule)
	good := []any{[]byte("m"), id.String(), int64(1)}
	for name, call := range map[string]struct {
		keys []string
		args []any
	}{
		"no keys":        {nil, good},
		"another task":   {[]string{task + "0", pending}, good},
		"another lane":   {[]string{task, asynqKey(Warm, suffixPending)}, good},
		"text message":   {[]string{task, pending}, []any{"m", id.String(), int64(1)}},
		"another id":     {[]string{task, pending}, []any{[]byte("m"), "x", int64(1)}},
		"float time":     {[]string{task, pending}, []any{[]byte("m"), id.String(), 1.5}},
		"float score":    {[]string{task, scheduled}, []any{[]byte("m"), 1.5, id.String()}},
		"more arguments": {[]string{task, pending}, append(slices.Clone(good), 1)},
	} {
		if got, err := readCall(id, call.keys, call.args); err == nil {
			t.Errorf("%s: read as %+v", name, got)
		}
	}
	if got, err := readCall(id, []string{task, pending}, good); err != nil || got.pendingSince != 1 {
		t.Errorf("enqueue: %+v, %v", got, err)
	}
}
