package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/tasks"
)

// asynq stores the texts of its own errors; an operator sees a code.
func TestTaskShowPrintsCodeOfAsynqError(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := document[receipt](t, rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json"}, day...)...).stdout).ID
	rdb, err := redisconn.Dial(h.vars["ROUNDS_QUEUE_REDIS"], redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	failed := make(chan struct{}, 1)
	s := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{tasks.LaneSync: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { failed <- struct{}{}; return time.Hour },
	})
	if err := s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return asynq.ErrLeaseExpired })); err != nil {
		t.Fatal(err)
	}
	<-failed
	s.Shutdown() // waits until the failure is recorded
	o := rounds(t, h.vars, "task", "show", id, "--json")
	if d := document[taskDoc](t, o.stdout); d.State != tasks.StateRetrying || d.Code != "lease_expired" {
		t.Errorf("exit %d, %+v", o.code, d)
	}
	if text := rounds(t, h.vars, "task", "show", id).stdout; !strings.Contains(text, "because   lease_expired\n") {
		t.Errorf("printed:\n%s", text)
	}
}
