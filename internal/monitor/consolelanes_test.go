package monitor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A damaged record of one lane hides no other lane: not on asynqmon's pages and not on Now.
func TestDamagedRecordHidesNoOtherLane(t *testing.T) {
	t.Parallel()
	const orphan = "sync-zzzzzzzzzzzzzzzzzzzzzzzzzz-1772442000000000"
	z := redis.Z{Score: float64(time.Now().Unix()), Member: orphan}
	for name, damage := range map[string]func(t *testing.T, s *testSite, id string){
		"pending ID without a record":   func(t *testing.T, s *testSite, _ string) { s.rdb.LPush(t.Context(), "asynq:{sync}:pending", orphan) },
		"active ID without a record":    func(t *testing.T, s *testSite, _ string) { s.rdb.LPush(t.Context(), "asynq:{sync}:active", orphan) },
		"scheduled ID without a record": func(t *testing.T, s *testSite, _ string) { s.rdb.ZAdd(t.Context(), "asynq:{sync}:scheduled", z) },
		"retried ID without a record":   func(t *testing.T, s *testSite, _ string) { s.rdb.ZAdd(t.Context(), "asynq:{sync}:retry", z) },
		"archived ID without a record":  func(t *testing.T, s *testSite, _ string) { s.rdb.ZAdd(t.Context(), "asynq:{sync}:archived", z) },
		"completed ID without a record": func(t *testing.T, s *testSite, _ string) { s.rdb.ZAdd(t.Context(), "asynq:{sync}:completed", z) },
		"undecodable message": func(t *testing.T, s *testSite, id string) {
			s.rdb.HSet(t.Context(), "asynq:{sync}:t:"+id, "msg", "\xff\xff")
		},
		"no message":                func(t *testing.T, s *testSite, id string) { s.rdb.HDel(t.Context(), "asynq:{sync}:t:"+id, "msg") },
		"record of another type":    func(t *testing.T, s *testSite, id string) { s.rdb.Set(t.Context(), "asynq:{sync}:t:"+id, "x", 0) },
		"list of another type":      func(t *testing.T, s *testSite, _ string) { s.rdb.Set(t.Context(), "asynq:{sync}:pending", "x", 0) },
		"set of another type":       func(t *testing.T, s *testSite, _ string) { s.rdb.Set(t.Context(), "asynq:{sync}:archived", "x", 0) },
		"counter that is no number": func(t *testing.T, s *testSite, _ string) { s.rdb.Set(t.Context(), "asynq:{sync}:processed", "x", 0) },
		"counter of another type": func(t *testing.T, s *testSite, _ string) {
			s.rdb.HSet(t.Context(), "asynq:{sync}:processed:"+time.Now().UTC().Format(time.DateOnly), "x", "y")
		},
		"pause of another type":  func(t *testing.T, s *testSite, _ string) { s.rdb.HSet(t.Context(), "asynq:{sync}:paused", "x", "y") },
		"groups of another type": func(t *testing.T, s *testSite, _ string) { s.rdb.Set(t.Context(), "asynq:{sync}:groups", "x", 0) },
		"queue without keys": func(t *testing.T, s *testSite, _ string) {
			s.rdb.SAdd(t.Context(), "asynq:queues", "gone", "push", "not a lane")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestSite(t)
			v := s.as(t, ann)
			s.enqueue(t, "warm", "b", time.Now())
			s.enqueue(t, "warm", "c", time.Now())
			damage(t, s, s.enqueue(t, "sync", "a", time.Now()))
			a := v.get("/asynqmon/api/queues")
			if a.code != http.StatusOK || !strings.Contains(a.body, `"queue":"warm"`) || !strings.Contains(a.body, `"queue":"sync"`) || !strings.Contains(a.body, `"pending":2`) {
				t.Errorf("the list of queues: %d %s", a.code, a.body)
			}
			if name == "pending ID without a record" && !strings.Contains(a.body, "a record is damaged") {
				t.Errorf("the list does not say what is wrong: %s", a.body)
			}
			for path, want := range map[string]string{
				"/asynqmon/api/queue_stats":               `"queue":"warm"`,
				"/asynqmon/api/queues/warm":               `"pending":2`,
				"/asynqmon/api/queues/sync":               `"current"`,
				"/asynqmon/api/queues/warm/pending_tasks": `schedule.sync`,
			} {
				if a := v.get(path); a.code != http.StatusOK || !strings.Contains(a.body, want) {
					t.Errorf("%s: %d %s", path, a.code, a.body)
				}
			}
			if a := v.get("/now"); a.code != http.StatusOK || !strings.Contains(a.body, "warm") || strings.Contains(a.body, "Redis does not answer") {
				t.Errorf("Now: %d %s", a.code, a.body)
			}
		})
	}
}
