package taskstest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// recorder is a testing.TB that records failure messages instead of failing the test.
type recorder struct {
	testing.TB
	messages []string
}

func (r *recorder) Helper() {}
func (r *recorder) Errorf(format string, args ...any) {
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }

// failures runs f with a recorder and returns the recorded messages.
func failures(t *testing.T, f func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); f(r) }()
	<-done
	return strings.Join(r.messages, "; ")
}

type worker = tasks.WorkerFunc[tasks.SyncDirectory]

var args = tasks.SyncDirectory{Practice: "7"}

func returning(err error) worker {
	return func(context.Context, *tasks.Job[tasks.SyncDirectory]) error { return err }
}

func TestWork(t *testing.T) {
	t.Parallel()
	for want, row := range map[string]struct {
		err  error
		opts []taskstest.Option
	}{
		"done":               {nil, nil},
		"retry error":        {errors.New("it failed"), nil},
		"later vendor_down":  {tasks.Later(time.Now().Add(time.Hour), "vendor_down"), nil},
		"dead denied buried": {tasks.Permanent(tasks.Code("denied")), nil},
		"dead error buried":  {errors.New("it failed"), []taskstest.Option{taskstest.Failed(9)}},
	} {
		r := taskstest.Work(t, returning(row.err), args, row.opts...)
		got := strings.TrimSpace(r.State + " " + string(r.Code))
		if r.DeadLetter != nil {
			got += " buried"
		}
		if got != want {
			t.Errorf("result %q, want %q", got, want)
		}
		if waits := r.State == tasks.OutcomeLater; waits != (r.Delay > 50*time.Minute) {
			t.Errorf("%s: runs again in %v", want, r.Delay)
		}
	}
}

func TestWorkAppliesOptions(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var job tasks.Job[tasks.SyncDirectory]
	r := taskstest.Work(t, worker(func(ctx context.Context, j *tasks.Job[tasks.SyncDirectory]) error {
		job = *j
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}), args, taskstest.In(ctx), taskstest.For("clinic-b"), taskstest.Failed(2))
	if job.Tenant != "clinic-b" || job.Attempt != 3 || job.Args != args || r.State != tasks.OutcomeLater {
		t.Errorf("job %+v, result %+v", job, r)
	}
}

func TestWorkRejectsInvalidArgs(t *testing.T) {
	t.Parallel()
	got := failures(t, func(t testing.TB) { taskstest.Work(t, returning(nil), tasks.SyncDirectory{}) })
	if !strings.Contains(got, "directory.sync cannot be enqueued") {
		t.Errorf("messages %q", got)
	}
}

func setup(t *testing.T) (*redis.Client, []byte, *tasks.Client) {
	t.Helper()
	rdb, keys := redistest.New(t), taskstest.Keys(t)
	client, err := tasks.NewClient(tasks.ClientOptions{Redis: rdb, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return rdb, keys, client
}

func enqueue(t *testing.T, c *tasks.Client, a tasks.Args, opts ...tasks.Option) {
	t.Helper()
	if _, err := c.Enqueue(t.Context(), "clinic-a", a, opts...); err != nil {
		t.Fatal(err)
	}
}

func TestRequireEnqueued(t *testing.T) {
	t.Parallel()
	rdb, keys, client := setup(t)
	taskstest.RequireNotEnqueued(t, rdb, args.Kind())
	at := time.Now().Add(time.Hour)
	enqueue(t, client, args, tasks.At(at))
	enqueue(t, client, tasks.SyncPatient{Practice: "7", Patient: "1"})
	if got := taskstest.RequireEnqueued[tasks.SyncDirectory](t, rdb, keys, taskstest.Want{Tenant: "clinic-a", Lane: tasks.LaneSync, At: at}); got != args {
		t.Errorf("args %+v", got)
	}
	for name, row := range map[string]struct {
		check func(t testing.TB)
		want  string
	}{
		"tenant": {func(t testing.TB) { require(t, rdb, keys, taskstest.Want{Tenant: "clinic-b"}) }, "belongs to tenant clinic-a"},
		"lane":   {func(t testing.TB) { require(t, rdb, keys, taskstest.Want{Lane: tasks.LaneWarm}) }, "waits in lane sync"},
		"time":   {func(t testing.TB) { require(t, rdb, keys, taskstest.Want{At: at.Add(time.Minute)}) }, "runs at"},
		"keys":   {func(t testing.TB) { require(t, rdb, taskstest.Keys(t), taskstest.Want{}) }, "cannot be read: unknown_key"},
		"not":    {func(t testing.TB) { taskstest.RequireNotEnqueued(t, rdb, args.Kind()) }, "1 tasks of kind directory.sync wait, want none"},
		"none": {func(t testing.TB) {
			taskstest.RequireEnqueued[tasks.WarmView](t, rdb, keys, taskstest.Want{})
		}, "0 tasks of kind view.warm wait"},
	} {
		if got := failures(t, row.check); !strings.Contains(got, row.want) {
			t.Errorf("%s: messages %q, want %q", name, got, row.want)
		}
	}
	enqueue(t, client, tasks.SyncDirectory{Practice: "8"})
	if got := failures(t, func(t testing.TB) { require(t, rdb, keys, taskstest.Want{}) }); !strings.Contains(got, "2 tasks of kind") {
		t.Errorf("two tasks of one kind: messages %q", got)
	}
	_ = rdb.Close()
	if got := failures(t, func(t testing.TB) { require(t, rdb, keys, taskstest.Want{}) }); got == "" {
		t.Error("no failure without Redis")
	}
}

func require(t testing.TB, rdb *redis.Client, keys []byte, want taskstest.Want) {
	t.Helper()
	taskstest.RequireEnqueued[tasks.SyncDirectory](t, rdb, keys, want)
}

func TestDrain(t *testing.T) {
	t.Parallel()
	rdb, keys, client := setup(t)
	router, err := tasks.NewRouter(tasks.RouterOptions{Redis: rdb, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	var ran atomic.Int64
	tasks.Handle(router, worker(func(ctx context.Context, j *tasks.Job[tasks.SyncDirectory]) error {
		if ran.Add(1) == 1 {
			_, err := client.Enqueue(ctx, j.Tenant, tasks.SyncDirectory{Practice: "8"}) // Drain also runs tasks that a task enqueues
			return err
		}
		return nil
	}))
	enqueue(t, client, args)
	enqueue(t, client, tasks.SyncDirectory{Practice: "9"}, tasks.In(time.Hour))
	taskstest.Drain(t, rdb, router)
	if ran.Load() != 2 {
		t.Errorf("ran %d tasks, want 2", ran.Load())
	}
	require(t, rdb, keys, taskstest.Want{})
	_ = rdb.Close()
	if got := failures(t, func(t testing.TB) { taskstest.Drain(t, rdb, router) }); got == "" {
		t.Error("no failure without Redis")
	}
}
