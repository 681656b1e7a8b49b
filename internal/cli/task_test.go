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

// An operator who has neither a keyset nor a ledger learns why a task waits.
func TestTaskExplain(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	id := document[receipt](t, rounds(t, h.vars, append([]string{"enqueue", "schedule.sync", "--json"}, day...)...).stdout).ID
	vars := h.with(map[string]string{"USER": "ann", "ROUNDS_KEYS": "", "ROUNDS_LEDGER": "", "ROUNDS_CACHE_REDIS": ""})
	o := rounds(t, vars, "task", "explain", id, "--json")
	d := document[explanationDoc](t, o.stdout)
	if len(d.Reasons) == 0 || d.Reasons[0].Code != "no_worker" || d.Start == nil || !d.Start.At.IsZero() || d.Start.Text == "" {
		t.Fatalf("exit %d, %+v", o.code, d)
	}
	if o := rounds(t, vars, "queue", "pause", "sync", "--reason", "ops 1234", "--yes"); o.code != exitOK {
		t.Fatalf("pause: %+v", o)
	}
	text := rounds(t, vars, "task", "explain", id).stdout
	for _, want := range []string{"waits because  its lane sync is paused (lane_paused, by ann: ops-1234, for ", "and because    no running worker serves its lane sync (no_worker)", "starts         unknown\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	for arg, want := range map[string]int{"patient-4711": exitUsage, "aaaaaaaaaaaaaaaaaaaaaaaaaa.1.sync": exitNotFound} {
		if o := rounds(t, vars, "task", "explain", arg); o.code != want || strings.Contains(o.stdout+o.stderr, "4711") {
			t.Errorf("%s: %+v", arg, o)
		}
	}
}
