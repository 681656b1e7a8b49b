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
	// MaxBulk is the largest number of tasks of one action.
	MaxBulk = 1000
	// ActLimit bounds an action on dead tasks. Tasks that it does not reach in time stay unchanged.
	ActLimit = 30 * time.Second
)

// maxActBody is larger than a list of MaxBulk IDs.
const maxActBody = 256 << 10

// action is one request to change something through asynqmon.
type action struct {
	lane  string
	state string // "archived"; empty for the lane itself
	task  string // empty for all of the state, or for those in the body
	verb  string // one of verbs
}

// route returns the action without its lane and task, for the log.
func (a action) route() string {
	switch {
	case a.state == "":
		return "queue:" + a.verb
	default:
		return a.state + "_tasks:" + a.verb
	}
}

// states are the states of our tasks. We use no groups, and finished tasks are not kept.
var states = map[string]bool{
	queue.StatePending: true, queue.StateActive: true, queue.StateScheduled: true, queue.StateRetry: true, queue.StateArchived: true,
}

// parseAction parses the part of a path after /api/:
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

// verbs are asynqmon's actions with the method of each. asynqmon itself rejects a verb that does
// not fit the state.
var verbs = map[string]string{
	"pause": http.MethodPost, "resume": http.MethodPost, "delete": http.MethodDelete,
	"run": http.MethodPost, "run_all": http.MethodPost, "batch_run": http.MethodPost,
	"archive": http.MethodPost, "archive_all": http.MethodPost, "batch_archive": http.MethodPost,
	"cancel": http.MethodPost, "cancel_all": http.MethodPost, "batch_cancel": http.MethodPost,
	"delete_all": http.MethodDelete, "batch_delete": http.MethodPost,
}

// act performs an operator's action, or responds with the reason why not.
func (c *console) act(w http.ResponseWriter, r *http.Request, user access.Login, api string) {
	a, ok := parseAction(r.Method, api)
	d := auditRecordOf(r.Context())
	if ok {
		d.operation, d.lane, d.task = a.route(), a.lane, a.task
	}
	switch {
	case !user.CanAct():
		http.Error(w, "viewers cannot change anything: this action requires the operator role", http.StatusForbidden)
		return
	case !ok:
		http.NotFound(w, r)
		return
	case a.state == "" && a.verb == "delete":
		http.Error(w, "queues cannot be deleted: running workers would keep filling a queue that no list shows. To stop it: rounds queue pause "+a.lane,
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
	if a.state == queue.StateArchived && c.actOnArchived(w, r, a, ids) {
		return
	}
	if a.verb == "pause" {
		c.pause(w, r, user, a.lane)
		return
	}
	rec := &responseBuffer{header: http.Header{}, status: http.StatusOK, limit: maxAnswer}
	c.mounts[user.Role].handler.ServeHTTP(rec, r)
	if rec.status == http.StatusInternalServerError {
		rec.status = http.StatusConflict // asynqmon's status for a task that no longer exists, too
	}
	c.answer(w, r, rec)
}

// pause pauses a lane, and keeps who did, which asynqmon does not.
func (c *console) pause(w http.ResponseWriter, r *http.Request, user access.Login, lane string) {
	if _, err := queue.Pause(r.Context(), c.rdb, lane, queue.PausedBy{By: user.Name}); err != nil {
		http.Error(w, "the queue's Redis does not answer", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// actOnArchived handles the dead letters of archived tasks. It reports whether it has responded; if
// not, asynqmon performs the action.
func (c *console) actOnArchived(w http.ResponseWriter, r *http.Request, a action, named []string) (responded bool) {
	ids, err := c.archivedIDs(a, named)
	if err == nil && strings.Contains(a.verb, "delete") {
		err = c.resolve(r.Context(), ids)
	}
	switch {
	case err != nil:
		http.Error(w, "the ledger or the queue's Redis does not answer: no task was changed", http.StatusServiceUnavailable)
		return true
	case strings.Contains(a.verb, "run"):
		auditRecordOf(r.Context()).tasks = len(ids)
		c.runArchivedTasks(w, r, a, ids)
		return true
	}
	return false
}

// refusal is the reason why an action is not performed.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

// taskIDs returns the tasks that an action names individually, and refuses an action on too many.
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

// checkNotArchived refuses to run or delete a dead task as one of another state. asynq uses only
// the ID, the page may be older than the death, and the dead letter would stay open.
func (c *console) checkNotArchived(ctx context.Context, a action, ids []string) error {
	if a.state == queue.StateArchived || !strings.Contains(a.verb, "run") && !strings.Contains(a.verb, "delete") {
		return nil
	}
	archivedIDs, err := queue.AnyArchived(ctx, c.rdb, a.lane, ids)
	if err == nil && archivedIDs {
		return &refusal{http.StatusConflict, "not done: one of these tasks has died meanwhile; reload the page"}
	}
	return err
}

// count returns the number of the lane's tasks in the action's state.
func (c *console) count(ctx context.Context, a action) (int64, error) {
	all, err := queue.Stats(ctx, c.rdb)
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

// tooMany names the command to use instead.
func tooMany(a action, n int64) *refusal {
	instead := "rounds queue pause " + a.lane + ", and tasks selected on the page"
	switch {
	case a.state == queue.StateArchived && a.verb == "run_all":
		instead = "rounds dead replay --all"
	case a.verb != "run_all" && queue.Removable(a.state):
		instead = "rounds queue purge " + a.lane + " --state " + a.state + " --older-than 0s"
	}
	return &refusal{http.StatusConflict, fmt.Sprintf(
		"%d tasks exceed the limit of %d for one action, which would block Redis for all clients. Instead: %s", n, MaxBulk, instead)}
}

// batch reads the IDs in the body and restores the body for asynqmon.
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
		return nil, &refusal{http.StatusConflict, fmt.Sprintf("one action can change at most %d tasks", MaxBulk)}
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return body.TaskIDs, nil
}
