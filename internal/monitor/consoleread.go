package monitor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// maxPage is the most tasks that one answer lists.
const maxPage = 100

// read answers a question of asynqmon's page, with what must not show taken out.
func (c *console) read(w http.ResponseWriter, r *http.Request, user access.Login, api string) {
	switch {
	case api == "redis_info" && !user.CanAct():
		http.Error(w, "raw Redis figures are for operators", http.StatusForbidden)
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
	c.mounts[user.Role].handler.ServeHTTP(rec, r)
	c.answer(w, r, rec)
}

// knownQueue refuses questions about queues that are not lanes. Other questions are asynqmon's to know.
func knownQueue(api string) bool {
	rest, ok := strings.CutPrefix(api, "queues/")
	if !ok {
		return true
	}
	lane, _, _ := strings.Cut(rest, "/")
	return queue.KnownLane(lane)
}

// answer passes on what asynqmon said. The text of a failure is not: it names addresses of Redis.
func (c *console) answer(w http.ResponseWriter, r *http.Request, rec *responseBuffer) {
	switch {
	case rec.over:
		http.Error(w, "the answer is too large to be shown", http.StatusInternalServerError)
		return
	case rec.status == http.StatusNotFound, bytes.HasPrefix(rec.body.Bytes(), []byte(htmlStart)): // its page, for a route it does not have
		http.Error(w, "no such queue or task: it may have ended", http.StatusNotFound)
		return
	case rec.status >= http.StatusBadRequest:
		http.Error(w, "not done: the task may have moved on, or the queue's Redis does not answer", rec.status)
		return
	case rec.body.Len() == 0:
		w.WriteHeader(rec.status)
		return
	}
	dec := json.NewDecoder(&rec.body)
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		http.Error(w, "asynqmon answered in an unknown way", http.StatusInternalServerError)
		return
	}
	redact(doc, c.sampler.attempts(r.Context()))
	writeJSON(w, rec.status, doc)
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(doc); err != nil {
		http.Error(w, "the answer cannot be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// redact replaces, wherever they stand, the text of an error by its code, a type that is none by a word, and asynq's limit
// of retries by ours, which is known by the task's kind.
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
		for _, name := range []string{"type", "task_type"} {
			if kind, ok := v[name].(string); ok {
				v[name] = queue.KindOf(kind)
			}
		}
		for _, member := range v {
			redact(member, attempts)
		}
	}
}

// retries is one less than the attempts, since the first is none; a word where nobody has said how many there are.
func retries(attempts int) any {
	if attempts < 1 {
		return "unknown"
	}
	return attempts - 1
}
