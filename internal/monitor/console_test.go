package monitor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
)

func TestAsynqmonPageIsCleaned(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, vic)
	for _, path := range []string{"/asynqmon/", "/asynqmon/queues/sync", "/asynqmon/queues/sync/tasks/x"} {
		a := v.get(path)
		if a.code != http.StatusOK || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("%s: %d %s", path, a.code, a.header.Get("Content-Type"))
		}
		if strings.Contains(a.body, "://") || strings.Contains(a.body, nonce) {
			t.Errorf("%s contains another host or the placeholder of the nonce:\n%.800s", path, a.body)
		}
		policy := a.header.Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(policy, "'nonce-")
		n, _, _ := strings.Cut(rest, "'")
		if len(n) < 20 || strings.Count(a.body, n) != 4 || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		if again := v.get(path); strings.Contains(again.body, n) {
			t.Errorf("%s: the nonce is used twice", path)
		}
	}
}

func TestAsynqmonFiles(t *testing.T) {
	t.Parallel()
	v := newTestSite(t).as(t, vic)
	for path, want := range map[string]string{
		"/asynqmon/static/js/main.5adda2da.chunk.js":       "text/javascript; charset=utf-8",
		"/asynqmon/static/media/logo-color.c2b0c1f3.svg":   "image/svg+xml",
		"/asynqmon/favicon.ico":                            "image/x-icon",
		"/asynqmon/static/js/main.5adda2da.chunk.js.map":   "text/html; charset=utf-8",
		"/asynqmon/static/js/none.js":                      "",
		"/asynqmon/static/js/../../../../etc/passwd.js":    "",
		"/asynqmon/static/js/%2e%2e/%2e%2e/index.html.png": "",
	} {
		a := v.get(path)
		switch {
		case want == "" && (a.code == http.StatusOK || strings.Contains(a.body, "root:")):
			t.Errorf("%s: %d", path, a.code)
		case want != "" && (a.code != http.StatusOK || a.header.Get("Content-Type") != want):
			t.Errorf("%s: %d %s", path, a.code, a.header.Get("Content-Type"))
		}
	}
}

func TestViewersReadAndOperatorsAct(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.enqueue(t, "sync", "a", time.Now())
	viewer, operator := s.as(t, vic), s.as(t, ann)
	for _, v := range []*testClient{viewer, operator} {
		if a := v.get("/asynqmon/api/queues"); a.code != http.StatusOK || !strings.Contains(a.body, `"queue":"sync"`) {
			t.Errorf("%d %s", a.code, a.body)
		}
	}
	paused := func() bool { return s.rdb.Exists(t.Context(), "asynq:{sync}:paused").Val() == 1 }
	if a := viewer.post("/asynqmon/api/queues/sync:pause"); a.code != http.StatusForbidden || paused() {
		t.Errorf("a viewer pauses: %d, paused %v", a.code, paused())
	}
	if a := operator.post("/asynqmon/api/queues/sync:pause"); a.code != http.StatusNoContent || !paused() {
		t.Errorf("an operator pauses: %d %s", a.code, a.body)
	}
	if a := operator.post("/asynqmon/api/queues/sync:resume"); a.code != http.StatusNoContent || paused() {
		t.Errorf("an operator resumes: %d %s", a.code, a.body)
	}
	if a := viewer.get("/asynqmon/api/redis_info"); a.code != http.StatusForbidden || strings.Contains(a.body, "redis_version") {
		t.Errorf("a viewer asks for INFO: %d", a.code)
	}
	if a := operator.get("/asynqmon/api/redis_info"); a.code != http.StatusOK || !strings.Contains(a.body, "redis_version") {
		t.Errorf("an operator asks for INFO: %d", a.code)
	}
	for _, want := range []string{
		"operation=queue:pause operator=vic role=viewer lane=sync status=403",
		"operation=queue:pause operator=ann role=operator lane=sync status=204",
		"operation=queue:resume operator=ann role=operator lane=sync status=204",
		"operation=login operator=ann role=operator status=303",
	} {
		if !strings.Contains(s.logBuffer.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, s.logBuffer)
		}
	}
}

// A task that another program wrote shows none of its text.
func TestForeignTasksAreHidden(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	task := asynq.NewTaskWithHeaders("jane.doe", []byte("jane doe"), map[string]string{"tenant": "jane-doe"})
	_, err := asynq.NewClientFromRedisClient(s.rdb).EnqueueContext(t.Context(), task, asynq.Queue("sync"), asynq.TaskID("jane-doe"))
	if err != nil {
		t.Fatal(err)
	}
	v := s.as(t, ann)
	for _, path := range []string{"/asynqmon/api/queues/sync/pending_tasks", "/asynqmon/api/queues/sync/tasks/jane-doe", "/now"} {
		a := v.get(path)
		if a.code != http.StatusOK || strings.Contains(a.body, "jane") || path != "/now" && !strings.Contains(a.body, `"id":"hidden"`) {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if log := s.logBuffer.String(); strings.Contains(log, "jane") {
		t.Errorf("the log has its ID:\n%s", log)
	}
}

// The payload of a task and the text of its last error are never shown; its code is.
func TestTasksShowOnlyCodes(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	coded := s.enqueue(t, "sync", "a", time.Now())
	s.failPending(t, "sync", "denied")
	texted := s.enqueue(t, "push", "b", time.Now())
	s.failPending(t, "push", "no patient "+plantedMarker)
	v := s.as(t, ann)
	for path, want := range map[string]string{
		"/asynqmon/api/queues/sync/tasks/" + coded:        `"error_message":"denied"`,
		"/asynqmon/api/queues/sync/archived_tasks":        `"error_message":"denied"`,
		"/asynqmon/api/queues/push/tasks/" + texted:       `"error_message":"hidden"`,
		"/asynqmon/api/queues/push/archived_tasks?size=9": `"error_message":"hidden"`,
	} {
		a := v.get(path)
		if a.code != http.StatusOK || !strings.Contains(a.body, want) || !strings.Contains(a.body, "bytes, sealed") {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
		if strings.Contains(a.body, plantedMarker) || strings.Contains(a.body, "patient") {
			t.Errorf("%s shows patient data: %s", path, a.body)
		}
		if strings.Contains(a.body, "1073741824") || !strings.Contains(a.body, `"max_retry":"unknown"`) {
			t.Errorf("%s shows asynq's retry limit: %s", path, a.body)
		}
	}
}
