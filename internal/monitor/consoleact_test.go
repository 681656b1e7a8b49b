package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

const api = "/asynqmon/api/queues/"

// deadLetterState returns the state of a task's dead letter.
func (s *testSite) deadLetterState(t testing.TB, id string) string {
	t.Helper()
	d, err := s.ledger.DeadLetter(t.Context(), id)
	if errors.Is(err, ledger.ErrNotFound) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return d.State
}

// deadTask makes a task that died, with its dead letter.
func (s *testSite) deadTask(t testing.TB, lane, char string) string {
	t.Helper()
	id := s.enqueue(t, lane, char, time.Now())
	s.failPending(t, lane, "denied")
	s.bury(t, id, "denied")
	return id
}

func TestRunningADeadTaskResolvesItsDeadLetter(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	id := s.deadTask(t, "sync", "a")
	path := api + "sync/archived_tasks/" + id + ":run"
	if a := s.as(t, vic).post(path); a.code != http.StatusForbidden || s.deadLetterState(t, id) != ledger.StateOpen || s.count(t, "sync", "archived") != 1 {
		t.Fatalf("run by a viewer: %d, dead letter %s", a.code, s.deadLetterState(t, id))
	}
	if a := v.post(path); a.code != http.StatusNoContent {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if s.deadLetterState(t, id) != ledger.StateReplayed || s.count(t, "sync", "pending") != 1 || s.count(t, "sync", "archived") != 0 {
		t.Errorf("dead letter %s, %d pending, %d archived", s.deadLetterState(t, id), s.count(t, "sync", "pending"), s.count(t, "sync", "archived"))
	}
	if a := v.post(path); a.code != http.StatusConflict || s.count(t, "sync", "pending") != 1 {
		t.Errorf("second run: %d %s", a.code, a.body)
	}
	if want := "operation=archived_tasks:run operator=ann role=operator lane=sync task=" + id + " status=204"; !strings.Contains(s.logBuffer.String(), want) &&
		!strings.Contains(s.logBuffer.String(), strings.Replace(want, " status", " tasks=1 status", 1)) {
		t.Errorf("the log has no %q:\n%s", want, s.logBuffer)
	}
	// It dies again and has an open dead letter again.
	s.failPending(t, "sync", "invalid")
	if err := s.ledger.Bury(t.Context(), ledger.DeadLetter{TaskID: id, Kind: "schedule.sync", Lane: "sync", Code: "invalid", DiedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if s.deadLetterState(t, id) != ledger.StateOpen {
		t.Errorf("after its second death: %s", s.deadLetterState(t, id))
	}
}

// A page may be older than a task's death. Its buttons must not run or delete the task without its
// dead letter.
func TestDeadTasksAreRefusedOnOldPages(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	id := s.deadTask(t, "sync", "a")
	one, _ := json.Marshal(map[string][]string{"task_ids": {id}})
	for _, c := range []struct{ method, path, body string }{
		{http.MethodPost, "sync/retry_tasks/" + id + ":run", ""},
		{http.MethodPost, "sync/scheduled_tasks:batch_run", string(one)},
		{http.MethodDelete, "sync/pending_tasks/" + id, ""},
		{http.MethodPost, "sync/retry_tasks:batch_delete", string(one)},
	} {
		if a := v.do(c.method, api+c.path, "application/json", c.body); a.code != http.StatusConflict || !strings.Contains(a.body, "died meanwhile") {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.code, a.body)
		}
	}
	if s.deadLetterState(t, id) != ledger.StateOpen || s.count(t, "sync", "archived") != 1 || s.count(t, "sync", "pending") != 0 {
		t.Errorf("dead letter %s, %d archived, %d pending", s.deadLetterState(t, id), s.count(t, "sync", "archived"), s.count(t, "sync", "pending"))
	}
}

// An action on many tasks stops at the end of its request; the remaining tasks stay unchanged.
func TestActionStopsWithItsRequest(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	id := s.deadTask(t, "sync", "a")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := httptest.NewRecorder()
	s.console.runArchivedTasks(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil), action{lane: "sync", state: "archived", verb: "batch_run"}, []string{id})
	if rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), `"error_ids":["`+id) || s.deadLetterState(t, id) != ledger.StateOpen {
		t.Errorf("%d %s, dead letter %s", rec.Code, rec.Body, s.deadLetterState(t, id))
	}
}

// A task that an operator archived by hand has no dead letter and is run as it is.
func TestRunningATaskThatWasArchivedByHand(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	id := s.enqueue(t, "warm", "a", time.Now())
	if a := v.post(api + "warm/pending_tasks/" + id + ":archive"); a.code != http.StatusNoContent || s.count(t, "warm", "archived") != 1 {
		t.Fatalf("archive: %d %s", a.code, a.body)
	}
	if a := v.post(api + "warm/archived_tasks/" + id + ":run"); a.code != http.StatusNoContent || s.count(t, "warm", "pending") != 1 {
		t.Errorf("run: %d %s", a.code, a.body)
	}
	if a := v.post(api + "warm/archived_tasks/" + id + ":run"); a.code != http.StatusConflict {
		t.Errorf("running a task that is not archived: %d %s", a.code, a.body)
	}
	if a := v.do(http.MethodDelete, api+"warm/pending_tasks/"+id, "", ""); a.code != http.StatusNoContent || s.count(t, "warm", "pending") != 0 {
		t.Errorf("delete: %d %s", a.code, a.body)
	}
}

func TestActionsOnManyResolveEachDeadLetter(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	var ids []string
	for _, char := range []string{"a", "b", "c", "d", "e"} {
		ids = append(ids, s.deadTask(t, "sync", char))
	}
	body, _ := json.Marshal(map[string][]string{"task_ids": {ids[0], ids[1], "sync-unknown-1"}})
	a := v.do(http.MethodPost, api+"sync/archived_tasks:batch_run", "application/json", string(body))
	var got struct {
		Pending []string `json:"pending_ids"`
		Errors  []string `json:"error_ids"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Pending) != 2 || len(got.Errors) != 1 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	body, _ = json.Marshal(map[string][]string{"task_ids": {ids[2]}})
	if a := v.do(http.MethodPost, api+"sync/archived_tasks:batch_delete", "application/json", string(body)); a.code != http.StatusOK {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if a := v.post(api + "sync/archived_tasks:run_all"); a.code != http.StatusOK || strings.TrimSpace(a.body) != `{"scheduled":2}` {
		t.Fatalf("%d %s", a.code, a.body)
	}
	want := []string{ledger.StateReplayed, ledger.StateReplayed, ledger.StateResolved, ledger.StateReplayed, ledger.StateReplayed}
	for i, id := range ids {
		if state := s.deadLetterState(t, id); state != want[i] {
			t.Errorf("dead letter %d is %s, want %s", i, state, want[i])
		}
	}
	if s.count(t, "sync", "pending") != 4 || s.count(t, "sync", "archived") != 0 {
		t.Errorf("%d pending, %d archived", s.count(t, "sync", "pending"), s.count(t, "sync", "archived"))
	}
	last := s.deadTask(t, "push", "f")
	if a := v.do(http.MethodDelete, api+"push/archived_tasks:delete_all", "", ""); a.code != http.StatusOK || s.deadLetterState(t, last) != ledger.StateResolved {
		t.Errorf("%d %s, dead letter %s", a.code, a.body, s.deadLetterState(t, last))
	}
}

// Without the ledger dead tasks stay unchanged.
func TestDeadTasksStayWithoutALedger(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	id := s.deadTask(t, "sync", "a")
	if err := s.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if a := v.post(api + "sync/archived_tasks/" + id + ":run"); a.code != http.StatusConflict || s.count(t, "sync", "archived") != 1 {
		t.Errorf("run: %d %s", a.code, a.body)
	}
	if a := v.do(http.MethodDelete, api+"sync/archived_tasks/"+id, "", ""); a.code != http.StatusServiceUnavailable || s.count(t, "sync", "archived") != 1 {
		t.Errorf("delete: %d %s", a.code, a.body)
	}
	if a := v.get("/now"); a.code != http.StatusOK || !strings.Contains(a.body, "The ledger does not answer.") || !strings.Contains(a.body, ">sync</a>") {
		t.Errorf("Now: %d", a.code)
	}
}

func TestHarmfulActionsAreRefused(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, ann)
	s.enqueue(t, "sync", "a", time.Now())
	if a := v.do(http.MethodDelete, api+"warm", "", ""); a.code != http.StatusConflict || !strings.Contains(a.body, "rounds queue pause warm") {
		t.Errorf("deleting a lane: %d %s", a.code, a.body)
	}
	for state, members := range map[string]int{"scheduled": MaxBulk + 1, "retry": MaxBulk + 1, "archived": MaxBulk + 1} {
		zs := make([]redis.Z, members)
		for i := range zs {
			zs[i] = redis.Z{Score: float64(time.Now().Unix() + 3600), Member: "sync-" + strconv.Itoa(i)}
		}
		s.rdb.ZAdd(t.Context(), "asynq:{sync}:"+state, zs...)
	}
	for path, want := range map[string]string{
		"scheduled_tasks:delete_all":  "rounds queue purge sync --state scheduled --older-than 0s",
		"retry_tasks:archive_all":     "rounds queue purge sync --state retry --older-than 0s",
		"retry_tasks:run_all":         "rounds queue pause sync",
		"archived_tasks:run_all":      "rounds dead replay --all",
		"archived_tasks:delete_all":   "rounds queue purge sync --state archived --older-than 0s",
		"scheduled_tasks:archive_all": "rounds queue purge sync --state scheduled --older-than 0s",
	} {
		method := http.MethodPost
		if strings.Contains(path, "delete") {
			method = http.MethodDelete
		}
		a := v.do(method, api+"sync/"+path, "", "")
		if a.code != http.StatusConflict || !strings.Contains(a.body, want) || !strings.Contains(a.body, "1001") {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	for _, state := range []string{"scheduled", "retry", "archived"} {
		if n := s.count(t, "sync", state); n != MaxBulk+1 {
			t.Errorf("%d %s are left", n, state)
		}
	}
	if a := v.post(api + "sync/pending_tasks:archive_all"); a.code != http.StatusOK || strings.TrimSpace(a.body) != `{"archived":1}` {
		t.Errorf("archiving the pending task: %d %s", a.code, a.body)
	}
}

// The page shows what asynq's inspector returns, so the number of attempts of a kind comes from the
// scheduler's report.
func TestAttemptsComeFromTheScheduler(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	v := s.as(t, vic)
	a := v.get(api + "sync/retry_tasks")
	if !strings.Contains(a.body, `"max_retry":9`) || !strings.Contains(a.body, `"error_message":"blocked"`) {
		t.Errorf("%d %s", a.code, a.body)
	}
	info, err := asynq.NewInspectorFromRedisClient(s.rdb).ListRetryTasks("sync")
	if err != nil || info[0].MaxRetry != 1<<30 {
		t.Errorf("asynq's retry limit is %v, %v", info, err)
	}
}

func TestPagesAreLimited(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	for i := range 3 {
		s.enqueue(t, "sync", string(rune('a'+i)), time.Now())
	}
	v := s.as(t, vic)
	for size, want := range map[string]int{"1": 1, "100": 3, "1000000": 3, "-1": 3, "x": 3} {
		a := v.get(api + "sync/pending_tasks?size=" + size)
		if n := strings.Count(a.body, `"id"`); a.code != http.StatusOK || n != want {
			t.Errorf("size %s: %d, %d tasks", size, a.code, n)
		}
	}
	for _, path := range []string{"queues/unknown", "queues/unknown/pending_tasks", "queues/sync/tasks/none", "metrics"} {
		a := v.get("/asynqmon/api/" + path)
		if a.code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
}

// The Redis client's errors contain addresses, which must not be shown.
func TestConsoleWithoutRedis(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	unreachable, err := redisconn.Dial("redis://127.0.0.1:1", redisconn.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unreachable.Close() })
	c, err := newConsole(unreachable, s.ledger, &sampler{rdb: unreachable, ledger: s.ledger})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"GET queues": 500, "GET queues/sync/retry_tasks": 500, "POST queues/sync:pause": 503, "POST queues/sync/retry_tasks:run_all": 503,
		"POST queues/sync/archived_tasks:run_all": 503, "POST queues/sync/archived_tasks/x:run": 409,
	} {
		method, rest, _ := strings.Cut(path, " ")
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), method, "/asynqmon/api/"+rest, nil)
		c.serve(rec, r, access.Login{Name: ann, Role: access.Operator})
		if body := rec.Body.String(); rec.Code != want || strings.Contains(body, "127.0.0.1") || strings.Contains(body, "refused") || body == "" {
			t.Errorf("%s: %d %q, want %d", path, rec.Code, body, want)
		}
	}
}

// TestPauseKeepsWho checks that a pause states which operator made it.
func TestPauseKeepsWho(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	id, err := queue.ParseID(s.enqueue(t, "sync", "a", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	v := s.as(t, ann)
	for range 2 {
		if a := v.post(api + "sync:pause"); a.code != http.StatusNoContent {
			t.Fatalf("%d %s", a.code, a.body)
		}
	}
	if p, err := queue.FindPosition(t.Context(), s.rdb, id); err != nil || p.PausedAt.IsZero() || p.PausedBy.By != ann {
		t.Errorf("%+v, %v", p, err)
	}
	if a := v.post(api + "sync:resume"); a.code != http.StatusNoContent {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if p, err := queue.FindPosition(t.Context(), s.rdb, id); err != nil || !p.PausedAt.IsZero() || p.PausedBy.By != "" {
		t.Errorf("after the pause: %+v, %v", p, err)
	}
}
