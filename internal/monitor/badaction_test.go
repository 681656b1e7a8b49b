package monitor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// Forty requests for actions that do not exist.
func TestBadActions(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.enqueue(t, "sync", "a", time.Now())
	v := s.as(t, ann)
	many := `{"task_ids":["x"` + strings.Repeat(`,"x"`, MaxBulk) + `]}`
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "queues", "", 404},
		{"POST", "queues/", "", 404},
		{"POST", "queues/sync", "", 404},
		{"POST", "queues/sync:", "", 404},
		{"POST", "queues/sync:PAUSE", "", 404},
		{"POST", "queues/sync:explode", "", 404},
		{"POST", "queues/unknown:pause", "", 404},
		{"POST", "queues/%73ync%3Apause%00", "", 404},
		{"POST", "queues/sync:pause/more", "", 404},
		{"POST", "queues/../queues/unknown:pause", "", 307},
		{"POST", "queues//sync:pause", "", 307},
		{"POST", "queues/sync/:run_all", "", 404},
		{"POST", "queues/sync/tasks:run_all", "", 404},
		{"POST", "queues/sync/dead_tasks:run_all", "", 404},
		{"POST", "queues/sync/completed_tasks:delete_all", "", 404},
		{"POST", "queues/sync/groups/g/aggregating_tasks:run_all", "", 404},
		{"POST", "queues/sync/pending_tasks/x:run", "", 404},
		{"PUT", "queues/sync:pause", "", 404},
		{"PATCH", "queues/sync:pause", "", 404},
		{"DELETE", "queues/unknown", "", 404},
		{"DELETE", "queues/sync/pending_tasks/none", "", 409},
		{"DELETE", "queues/sync/pending_tasks", "", 404},
		{"POST", "queues/sync/retry_tasks/none:run", "", 409},
		{"POST", "queues/sync/retry_tasks:batch_run", "", 400},
		{"POST", "queues/sync/retry_tasks:batch_run", "{", 400},
		{"POST", "queues/sync/retry_tasks:batch_run", "[]", 400},
		{"POST", "queues/sync/retry_tasks:batch_run", `{"task_ids":"x"}`, 400},
		{"POST", "queues/sync/retry_tasks:batch_run", `{"ids":[]}`, 400},
		{"POST", "queues/sync/retry_tasks:batch_run", `{"task_ids":[1]}`, 400},
		{"POST", "queues/sync/retry_tasks:batch_run", many, 409},
		{"POST", "queues/sync/archived_tasks:batch_delete", many, 409},
		{"POST", "queues/sync/retry_tasks:batch_run", `{"task_ids":["` + strings.Repeat("x", maxActBody) + `"]}`, 413},
		{"POST", "servers", "", 404},
		{"DELETE", "redis_info", "", 404},
		{"POST", "metrics", "", 404},
		{"POST", "scheduler_entries:run_all", "", 404},
		{"POST", "queues/sync/archived_tasks/" + strings.Repeat("x", 600) + ":run", "", 409},
		{"POST", "queues/sync/archived_tasks/%0A%0Dlevel=ERROR:run", "", 409},
		{"POST", "queues/sync/archived_tasks/" + plantedMarker + ":run", "", 409},
		{"DELETE", "queues/sync/archived_tasks/" + plantedMarker, "", 409},
	} {
		a := v.do(c.method, "/asynqmon/api/"+c.path, "application/json", c.body)
		if a.code != c.want || strings.Contains(a.body, plantedMarker) || len(a.body) > 400 {
			t.Errorf("%s %s: %d %.200q, want %d", c.method, c.path, a.code, a.body, c.want)
		}
	}
	if n := s.count(t, "sync", "pending"); n != 1 {
		t.Errorf("%d tasks are left, want 1", n)
	}
	if log := s.logBuffer.String(); strings.Contains(log, plantedMarker) || strings.Contains(log, "level=ERROR") {
		t.Errorf("the log contains text of the requests:\n%s", log)
	}
}

// Every route of asynqmon's that this program parses must match asynqmon's meaning.
func TestParseActionMatchesAsynqmon(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]action{
		"POST queues/sync:pause":                       {lane: "sync", verb: "pause"},
		"DELETE queues/sync":                           {lane: "sync", verb: "delete"},
		"POST queues/sync/retry_tasks:run_all":         {lane: "sync", state: "retry", verb: "run_all"},
		"DELETE queues/sync/retry_tasks:delete_all":    {lane: "sync", state: "retry", verb: "delete_all"},
		"POST queues/push/archived_tasks/id-1:run":     {lane: "push", state: "archived", task: "id-1", verb: "run"},
		"DELETE queues/push/archived_tasks/id-1":       {lane: "push", state: "archived", task: "id-1", verb: "delete"},
		"POST queues/warm/active_tasks:cancel_all":     {lane: "warm", state: "active", verb: "cancel_all"},
		"POST queues/warm/pending_tasks:batch_archive": {lane: "warm", state: "pending", verb: "batch_archive"},
	} {
		method, rest, _ := strings.Cut(path, " ")
		if got, ok := parseAction(method, rest); !ok || got != want {
			t.Errorf("%s: %+v, %v", path, got, ok)
		}
	}
}

func FuzzParseAction(f *testing.F) {
	f.Add("POST", "queues/sync/archived_tasks/id:run")
	f.Add("DELETE", "queues/sync")
	f.Add("POST", "queues/sync/retry_tasks:batch_run")
	f.Fuzz(func(t *testing.T, method, path string) {
		a, ok := parseAction(method, path)
		if !ok {
			return
		}
		if !queue.KnownLane(a.lane) || a.state != "" && !states[a.state] || verbs[a.verb] != method || strings.Contains(a.task, "/") {
			t.Fatalf("%s %q: %+v", method, path, a)
		}
		if strings.ContainsAny(a.route(), " \n\r=\"") {
			t.Fatalf("%q would break a log line", a.route())
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add(`{"tasks":[{"type":"schedule.sync","max_retry":1073741824,"error_message":"no patient 4711"}]}`)
	f.Add(`[{"error_message":{"error_message":"x y"}}]`)
	f.Add(`[{"type":"Jane Doe"},{"task_type":"Jane Doe"}]`)
	f.Add(`[{"id":"jane-doe","type":"jane.doe"},{"task_id":"jane-doe","task_type":"jane.doe"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		var doc any
		if json.Unmarshal([]byte(text), &doc) != nil {
			return
		}
		redact(doc, map[string]int{"schedule.sync": 10})
		walk(doc, func(name string, value any) {
			if text, ok := value.(string); ok && name == "error_message" && queue.CodeOf(text) != codes.Code(text) {
				t.Fatalf("shows %q", text)
			}
			if text, ok := value.(string); ok && (name == "type" || name == "task_type") && queue.KindOf(text) != text {
				t.Fatalf("shows a type %q", text)
			}
			if n, ok := value.(float64); ok && name == "max_retry" {
				t.Fatalf("shows asynq's retry limit %v", n)
			}
		})
	})
}

func walk(doc any, see func(name string, value any)) {
	switch v := doc.(type) {
	case []any:
		for _, member := range v {
			walk(member, see)
		}
	case map[string]any:
		for name, member := range v {
			see(name, member)
			walk(member, see)
		}
	}
}
