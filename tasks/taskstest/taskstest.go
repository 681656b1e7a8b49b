// Package taskstest helps to test code that declares, enqueues or runs tasks. Work runs one worker
// without Redis. RequireEnqueued checks which task waits in a queue, and Drain runs all pending
// tasks. Import the package from tests only.
package taskstest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"
)

// Tenant is the tenant that Work uses unless the option For sets another.
const Tenant = "clinic-a"

// Keys returns a new keyset. A client and a router that share it can exchange tasks.
func Keys(t testing.TB) []byte {
	t.Helper()
	keys, err := phi.Generate()
	if err != nil {
		t.Fatalf("taskstest: make keys: %v", err)
	}
	data, err := keys.JSON()
	if err != nil {
		t.Fatalf("taskstest: write keys: %v", err)
	}
	return data
}

// Result is the result of one attempt.
type Result struct {
	tasks.Outcome
	// Delay is the time until the next attempt, or 0 if there is none.
	Delay time.Duration
	// DeadLetter is the dead letter of the task, or nil if there is none.
	DeadLetter *tasks.DeadLetter
}

// Option changes how Work runs the attempt.
type Option func(*run)

type run struct {
	ctx    context.Context //nolint:containedctx // an option of one call
	tenant string
	failed int
}

// In runs the attempt under ctx. Default: the test's context.
func In(ctx context.Context) Option { return func(r *run) { r.ctx = ctx } }

// For runs the attempt for another tenant.
func For(tenant string) Option { return func(r *run) { r.tenant = tenant } }

// Failed runs the attempt as if n attempts had failed before.
func Failed(n int) Option { return func(r *run) { r.failed = n } }

// Work runs one attempt of one worker through a real client and router: it validates args, encrypts
// them with temporary keys, decrypts and decodes them strictly, calls the worker and classifies the
// error. Args that Enqueue would reject fail the test.
func Work[T tasks.Args](t testing.TB, w tasks.Worker[T], args T, opts ...Option) Result {
	t.Helper()
	r := run{ctx: t.Context(), tenant: Tenant}
	for _, o := range opts {
		o(&r)
	}
	keys := Keys(t)
	var result Result
	router, err := tasks.NewRouter(tasks.RouterOptions{Keys: keys, Bury: func(_ context.Context, l tasks.DeadLetter) error {
		result.DeadLetter = &l
		return nil
	}})
	if err != nil {
		t.Fatalf("taskstest: %v", err)
	}
	tasks.Handle(router, w)
	client, err := tasks.NewClient(tasks.ClientOptions{Keys: keys})
	if err != nil {
		t.Fatalf("taskstest: %v", err)
	}
	d, err := client.Seal(r.ctx, r.tenant, args)
	if err != nil {
		t.Fatalf("taskstest: %s cannot be enqueued: %v", args.Kind(), err)
	}
	d.Failed = r.failed
	result.Outcome = tasks.OutcomeOf(router.Deliver(r.ctx, d))
	if !result.NextAt.IsZero() {
		result.Delay = max(0, time.Until(result.NextAt))
	}
	return result
}

// Want holds the values that RequireEnqueued compares. A zero field matches any value.
type Want struct {
	// Tenant is the alias of the tenant.
	Tenant string
	// Lane is the lane the task waits in.
	Lane string
	// At is the time at which the task runs, within a second. Set it for scheduled tasks only.
	At time.Time
}

// RequireEnqueued fails the test unless exactly one task of T's kind waits in the queue and matches
// want. It returns the task's arguments. keys must be the keyset of the client that enqueued the
// task.
func RequireEnqueued[T tasks.Args](t testing.TB, rdb redis.UniversalClient, keys []byte, want Want) T {
	t.Helper()
	var args T
	found := waiting(t, rdb, args.Kind())
	if len(found) != 1 {
		t.Fatalf("%d tasks of kind %s wait, want 1", len(found), args.Kind())
		return args
	}
	info := found[0]
	if want.Lane != "" && info.Queue != want.Lane {
		t.Errorf("%s waits in lane %s, want %s", args.Kind(), info.Queue, want.Lane)
	}
	if got := info.NextProcessAt; !want.At.IsZero() && got.Sub(want.At).Abs() > time.Second {
		t.Errorf("%s runs at %v, want %v", args.Kind(), got, want.At)
	}
	router, err := tasks.NewRouter(tasks.RouterOptions{Keys: keys})
	if err != nil {
		t.Fatalf("taskstest: %v", err)
		return args
	}
	var tenant string
	tasks.Handle(router, tasks.WorkerFunc[T](func(_ context.Context, j *tasks.Job[T]) error {
		args, tenant = j.Args, j.Tenant
		return nil
	}))
	err = router.Deliver(t.Context(), tasks.Delivery{ID: info.ID, Lane: info.Queue, Kind: info.Type, Payload: info.Payload, Headers: info.Headers})
	if err != nil {
		t.Fatalf("%s cannot be read: %s", args.Kind(), tasks.OutcomeOf(err).Code)
	}
	if want.Tenant != "" && tenant != want.Tenant {
		t.Errorf("%s belongs to tenant %s, want %s", args.Kind(), tenant, want.Tenant)
	}
	return args
}

// RequireNotEnqueued fails the test if a task of the kind waits in the queue.
func RequireNotEnqueued(t testing.TB, rdb redis.UniversalClient, kind string) {
	t.Helper()
	if n := len(waiting(t, rdb, kind)); n > 0 {
		t.Errorf("%d tasks of kind %s wait, want none", n, kind)
	}
}

// pageSize limits how many tasks of one lane are read. It exceeds what a test should leave waiting.
const pageSize = 10_000

// waiting returns the tasks of a kind that wait in any lane.
func waiting(t testing.TB, rdb redis.UniversalClient, kind string) []*asynq.TaskInfo {
	t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	known, err := inspector.Queues()
	if err != nil {
		t.Fatalf("taskstest: list lanes: %v", err)
		return nil
	}
	var out []*asynq.TaskInfo
	for _, lane := range known {
		for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
			inspector.ListPendingTasks, inspector.ListScheduledTasks, inspector.ListRetryTasks,
		} {
			tasks, err := list(lane, asynq.PageSize(pageSize))
			if err != nil {
				t.Fatalf("taskstest: list tasks: %v", err)
				return nil
			}
			for _, task := range tasks {
				if task.Type == kind {
					out = append(out, task)
				}
			}
		}
	}
	return out
}

// drainTime limits how long Drain runs.
const drainTime = 30 * time.Second

// Drain runs the queue with the router until no task is pending or running. Tasks that are
// demanded for a later time or wait for a retry stay in the queue; those that wait for a place in
// the vendor's budget run at once. Drain fails the test after 30 seconds.
func Drain(t testing.TB, rdb redis.UniversalClient, router *tasks.Router) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), drainTime)
	defer cancel()
	s, err := queue.NewServer(queue.ServerOptions{Redis: rdb, Handler: router, Check: 2 * time.Millisecond})
	if err != nil {
		t.Fatalf("taskstest: %v", err)
		return
	}
	if err := s.Start(); err != nil {
		t.Fatalf("taskstest: %v", err)
		return
	}
	defer func() {
		if err := s.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Errorf("taskstest: %v", err)
		}
	}()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for busy(ctx, t, rdb) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Errorf("taskstest: tasks are still pending or running after %v", drainTime)
			return
		}
	}
}

// busy reports whether a task is pending or running in any lane. It makes booked tasks pending.
func busy(ctx context.Context, t testing.TB, rdb redis.UniversalClient) bool {
	t.Helper()
	lanes, err := queue.Stats(ctx, rdb)
	if err != nil {
		t.Errorf("taskstest: %v", err)
		return false
	}
	return slices.ContainsFunc(lanes, func(l queue.LaneStats) bool {
		booked := 0
		if l.Scheduled > 0 {
			if booked, err = queue.Unbook(ctx, rdb, l.Lane); err != nil {
				t.Errorf("taskstest: %v", err)
			}
		}
		return booked > 0 || l.Pending+l.Active > 0
	})
}
