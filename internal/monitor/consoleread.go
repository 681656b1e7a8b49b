package monitor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// maxPage is the largest number of tasks in one response.
const maxPage = 100

// read handles a read request of asynqmon's page and redacts the response.
func (c *console) read(w http.ResponseWriter, r *http.Request, user access.Login, api string) {
	switch {
	case api == "redis_info" && !user.CanAct():
		http.Error(w, "raw Redis figures are visible to operators only", http.StatusForbidden)
		return
	case api == "metrics", !knownQueue(api):
		http.NotFound(w, r)
		return
	}
	r = r.Clone(r.Context())
	q := r.URL.Query()
	if n, err := strconv.Atoi(q.Get("size")); q.Has("size") && (err != nil || n < 1 || n > maxPage) {
		q.Set("size", strconv.Itoa(maxPage))
		r.URL.RawQuery = q.Encode()
	}
	rec := &responseBuffer{header: http.Header{}, status: http.StatusOK, limit: maxAnswer}
	if !survives(func() { c.mounts[user.Role].handler.ServeHTTP(rec, r) }) {
		rec = &responseBuffer{header: http.Header{}, status: http.StatusInternalServerError, limit: maxAnswer}
	}
	if rec.status == http.StatusInternalServerError && c.repair(w, r, api) {
		return
	}
	c.answer(w, r, rec)
}

// knownQueue reports false for requests about queues that cannot be lanes. asynqmon checks all
// other requests itself.
func knownQueue(api string) bool {
	rest, ok := strings.CutPrefix(api, "queues/")
	if !ok {
		return true
	}
	lane, _, _ := strings.Cut(rest, "/")
	return queue.KnownLane(lane)
}

// answer sends asynqmon's response. It replaces error texts, which contain addresses of Redis.
func (c *console) answer(w http.ResponseWriter, r *http.Request, rec *responseBuffer) {
	switch {
	case rec.over:
		http.Error(w, "the response is too large", http.StatusInternalServerError)
		return
	case rec.status == http.StatusNotFound, bytes.HasPrefix(rec.body.Bytes(), []byte(htmlStart)): // asynqmon's page, for an unknown route
		http.Error(w, "no such queue or task: it may have finished", http.StatusNotFound)
		return
	case rec.status >= http.StatusBadRequest:
		http.Error(w, "not done: the task may have changed its state, a record of its queue may be damaged, or the queue's Redis does not answer", rec.status)
		return
	case rec.body.Len() == 0:
		w.WriteHeader(rec.status)
		return
	}
	dec := json.NewDecoder(&rec.body)
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		http.Error(w, "unexpected response of asynqmon", http.StatusInternalServerError)
		return
	}
	redact(doc, c.sampler.attempts(r.Context()))
	writeJSON(w, rec.status, doc)
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(doc); err != nil {
		http.Error(w, "the response cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// redactNames replaces the ID of a task that another program wrote, and its type, which may be any
// text. Objects without a type are no tasks.
func redactNames(v map[string]any, id, kind string) {
	text, ok := v[kind].(string)
	if !ok {
		return
	}
	v[kind] = queue.KindOf(text)
	if text, ok := v[id].(string); ok {
		if v[id] = queue.IDOf(text); v[id] != text {
			v[kind] = string(codes.Hidden)
		}
	}
}

// redact replaces error texts by their codes, names of tasks that are not ours by a fixed word, and
// asynq's retry limit by ours, which depends on the task's kind.
func redact(doc any, attempts map[string]int) {
	switch v := doc.(type) {
	case []any:
		for _, member := range v {
			redact(member, attempts)
		}
	case map[string]any:
		if text, ok := v["error_message"].(string); ok {
			v["error_message"] = queue.CodeOf(text)
		}
		if _, ok := v["max_retry"]; ok {
			kind, _ := v["type"].(string)
			v["max_retry"] = retries(attempts[kind])
		}
		redactNames(v, "id", "type")
		redactNames(v, "task_id", "task_type")
		for _, member := range v {
			redact(member, attempts)
		}
	}
}

// retries is the number of attempts without the first one, or a word if the number is unknown.
func retries(attempts int) any {
	if attempts < 1 {
		return "unknown"
	}
	return attempts - 1
}
