package monitor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/queue"
)

const (
	// MaxBulk is the most tasks that one action may be about.
	MaxBulk = 1000
	// ActLimit is how long an action on dead tasks may take. What was not reached then is as it was.
	ActLimit = 30 * time.Second
)

// maxActBody is more than MaxBulk IDs take.
const maxActBody = 256 << 10

// action is what somebody wants asynqmon to do.
type action struct {
	lane  string
	state string // "archived"; empty for the lane itself
	task  string // empty for all of the state, or for those in the body
	verb  string // one of verbs
}

// route is the action without what it is about, for the log.
func (a action) route() string {
	switch {
	case a.state == "":
		return "queue:" + a.verb
	default:
		return a.state + "_tasks:" + a.verb
	}
}

// states are those in which tasks of ours can be. There are no groups, and nothing is kept when it is done.
var states = map[string]bool{
	queue.StatePending: true, queue.StateActive: true, queue.StateScheduled: true, queue.StateRetry: true, queue.StateArchived: true,
}

// parseAction reads the part of a path behind /api/:
//
//	queues/LANE                          DELETE
//	queues/LANE:pause
//	queues/LANE/STATE_tasks:run_all
//	queues/LANE/STATE_tasks/TASK:run
//	queues/LANE/STATE_tasks/TASK         DELETE
func parseAction(method, api string) (action, bool) {
	parts := strings.Split(api, "/")
	last := len(parts) - 1
	name, verb, named := strings.Cut(parts[last], ":")
	parts[last] = name
	switch {
	case !named && method == http.MethodDelete:
		verb = "delete"
	case !named || parts[0] != "queues":
		return action{}, false
	}
	a := action{verb: verb}
	switch len(parts) {
	case 2:
		a.lane = parts[1]
	case 3, 4:
		a.lane = parts[1]
		state, ok := strings.CutSuffix(parts[2], "_tasks")
		if !ok || !states[state] {
			return action{}, false
		}
		a.state = state
		if len(parts) == 4 {
			a.task = parts[3]
		}
	default:
		return action{}, false
	}
	return a, parts[0] == "queues" && queue.KnownLane(a.lane) && verbs[a.verb] == method
}

// verbs are what asynqmon can be asked to do, with the method that it wants. What a verb does not go with, asynqmon knows.
var verbs = map[string]string{
	"pause": http.MethodPost, "resume": http.MethodPost, "delete": http.MethodDelete,
	"run": http.MethodPost, "run_all": http.MethodPost, "batch_run": http.MethodPost,
	"archive": http.MethodPost, "archive_all": http.MethodPost, "batch_archive": http.MethodPost,
	"cancel": http.MethodPost, "cancel_all": http.MethodPost, "batch_cancel": http.MethodPost,
	"delete_all": http.MethodDelete, "batch_delete": http.MethodPost,
}

// act does what an operator wants, or says why not.
func (c *console) act(w http.ResponseWriter, r *http.Request, user access.Login, api string) {
	a, ok := parseAction(r.Method, api)
	d := auditRecordOf(r.Context())
	if ok {
		d.operation, d.lane, d.task = a.route(), a.lane, a.task
	}
	switch {
	case !user.CanAct():
		http.Error(w, "you may look here, not act: that is for operators", http.StatusForbidden)
		return
	case !ok:
		http.NotFound(w, r)
		return
	case a.state == "" && a.verb == "delete":
		http.Error(w, "a queue is never deleted: running workers would fill one that nobody lists. To stop it: rounds queue pause "+a.lane,
			http.StatusConflict)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), ActLimit)
	defer cancel()
	r = r.WithContext(ctx)
	ids, err := c.taskIDs(w, r, a)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		http.Error(w, refused.text, refused.status)
		return
	case err != nil:
		http.Error(w, "the queue's Redis does not answer", http.StatusServiceUnavailable)
		return
	}
	d.tasks = len(ids)
	if a.state == queue.StateArchived {
		if ids, err = c.archivedIDs(a, ids); err == nil && strings.Contains(a.verb, "delete") {
			err = c.resolve(r.Context(), ids)
		}
		switch {
		case err != nil:
			http.Error(w, "the ledger or the queue's Redis does not answer: nothing was done to the tasks", http.StatusServiceUnavailable)
			return
		case strings.Contains(a.verb, "run"):
			d.tasks = len(ids)
			c.runArchivedTasks(w, r, a, ids)
			return
		}
	}
	rec := &responseBuffer{header: http.Header{}, status: http.StatusOK, limit: maxAnswer}
	c.mounts[user.Role].handler.ServeHTTP(rec, r)
	if rec.status == http.StatusInternalServerError {
		rec.status = http.StatusConflict // asynqmon's word for a task that is not there any more, too
	}
	c.answer(w, r, rec)
}

// refusal is an action that is not done.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// subjects returns the tasks that an action names one by one, and refuses one that is about too many.
func (c *console) taskIDs(w http.ResponseWriter, r *http.Request, a action) ([]string, error) {
	switch {
	case strings.HasPrefix(a.verb, "batch_"):
		ids, err := batch(w, r)
		if err == nil {
			err = c.checkNotArchived(r.Context(), a, ids)
		}
		return ids, err
	case a.task != "":
		return nil, c.checkNotArchived(r.Context(), a, []string{a.task})
	case strings.HasSuffix(a.verb, "_all"):
		n, err := c.count(r.Context(), a)
		if err == nil && n > MaxBulk {
			return nil, tooMany(a, n)
		}
		return nil, err
	}
	return nil, nil
}

// sameAsShown refuses to run or delete a dead task as one of another state. asynq goes by the
// ID alone, the page may be older than the death, and nobody would settle the letter.
func (c *console) checkNotArchived(ctx context.Context, a action, ids []string) error {
	if a.state == queue.StateArchived || !strings.Contains(a.verb, "run") && !strings.Contains(a.verb, "delete") {
		return nil
	}
	archivedIDs, err := queue.AnyArchived(ctx, c.rdb, a.lane, ids)
	if err == nil && archivedIDs {
		return &refusal{http.StatusConflict, "not done: a task of these has died meanwhile, look again"}
	}
	return err
}

// count returns how many tasks of the lane are in the action's state.
func (c *console) count(ctx context.Context, a action) (int64, error) {
	all, err := queue.Standings(ctx, c.rdb)
	if err != nil {
		return 0, err
	}
	for _, s := range all {
		if s.Lane != a.lane {
			continue
		}
		return map[string]int64{
			queue.StatePending: s.Pending, queue.StateActive: s.Active, queue.StateScheduled: s.Scheduled,
			queue.StateRetry: s.Retry, queue.StateArchived: s.Archived,
		}[a.state], nil
	}
	return 0, nil
}

// tooMany says how it is done instead.
func tooMany(a action, n int64) *refusal {
	instead := "rounds queue pause " + a.lane + ", and tasks selected on the page"
	switch {
	case a.state == queue.StateArchived && a.verb == "run_all":
		instead = "rounds dead replay --all"
	case a.verb != "run_all" && queue.Removable(a.state):
		instead = "rounds queue purge " + a.lane + " --state " + a.state + " --older-than 0s"
	}
	return &refusal{http.StatusConflict, fmt.Sprintf(
		"%d tasks are more than the %d that one action may be about: it would stop Redis for everybody. Instead: %s", n, MaxBulk, instead)}
}

// batch reads the IDs in the body and leaves the body as it was.
func batch(w http.ResponseWriter, r *http.Request) ([]string, error) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxActBody))
	if err != nil {
		return nil, &refusal{http.StatusRequestEntityTooLarge, "the request is too large"}
	}
	var body struct {
		TaskIDs []string `json:"task_ids"`
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&body); err != nil {
		return nil, &refusal{http.StatusBadRequest, "the request is not a list of tasks"}
	}
	if len(body.TaskIDs) > MaxBulk {
		return nil, &refusal{http.StatusConflict, fmt.Sprintf("one action is about %d tasks at most", MaxBulk)}
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return body.TaskIDs, nil
}
