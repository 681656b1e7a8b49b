package gateway

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/tasks"
)

// A kind without a practice would be refused with 404 for every demand.
func TestOfferedKindsNameTheirPractice(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		args, err := k.Decode([]byte(`{"practice":"7"}`))
		if err != nil || practiceOf(args) != "7" {
			t.Errorf("%s does not name its practice: %v", k.Name, err)
		}
	}
}

// asynq stores the texts of its own errors; the API returns a code instead.
func TestTaskStatusShowsACodeForAnErrorOfAsynq(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got receipt
	b.post("/v1/tasks", goodDemand).json(t, &got)
	failed := make(chan struct{}, 1)
	s := asynq.NewServerFromRedisClient(b.queue, asynq.Config{
		Concurrency: 1, Queues: map[string]int{tasks.LaneSync: 1}, TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { failed <- struct{}{}; return time.Hour },
	})
	if err := s.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return asynq.ErrLeaseExpired })); err != nil {
		t.Fatal(err)
	}
	<-failed
	s.Shutdown() // waits until the failure is recorded
	r := b.get("/v1/tasks/" + got.ID)
	var task status
	r.json(t, &task)
	if r.StatusCode != http.StatusOK || task.State != tasks.StateRetrying || task.Code != codes.LeaseExpired {
		t.Errorf("status %d: %s", r.StatusCode, r.body)
	}
}

// A caller learns why its task waits, and not which operator caused it.
func TestTaskStatusExplainsTheWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var got receipt
	b.post("/v1/tasks", goodDemand).json(t, &got)
	if _, err := queue.Pause(t.Context(), b.queue, tasks.LaneSync, queue.PausedBy{By: "operator-ann", Why: "ops-1234"}); err != nil {
		t.Fatal(err)
	}
	r := b.get("/v1/tasks/" + got.ID)
	var task status
	r.json(t, &task)
	if len(task.Reasons) != 2 || task.Reasons[0].Code != codes.LanePaused || task.Reasons[0].Since == nil || task.Reasons[1].Code != codes.NoWorker ||
		task.Start == nil || task.Start.At != nil || task.Start.Text == "" {
		t.Errorf("%s", r.body)
	}
	if strings.Contains(string(r.body), "ann") || strings.Contains(string(r.body), "ops-1234") {
		t.Errorf("%s", r.body)
	}
}
