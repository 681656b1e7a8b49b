package monitor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// archivedIDs returns the IDs of the archived tasks of an action; named are those in its request.
func (c *console) archivedIDs(a action, named []string) ([]string, error) {
	switch {
	case a.task != "":
		return []string{a.task}, nil
	case !strings.HasSuffix(a.verb, "_all"):
		return named, nil
	}
	archived, err := c.inspector.ListArchivedTasks(a.lane, asynq.PageSize(MaxBulk))
	if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
		return nil, errRedis
	}
	ids := make([]string, len(archived))
	for i, t := range archived {
		ids[i] = t.ID
	}
	return ids, nil
}

// resolve marks the dead letters of tasks that are about to be deleted, since those can no longer
// run.
func (c *console) resolve(ctx context.Context, ids []string) error {
	for _, id := range ids {
		err := c.ledger.Resolve(ctx, id, ledger.StateResolved)
		switch {
		case err == nil, errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrInvalid), errors.Is(err, ledger.ErrConflict):
		default:
			return fmt.Errorf("resolve dead letters: %w", err)
		}
	}
	return nil
}

// runArchivedTasks runs archived tasks as asynqmon does, and resolves the dead letter of each.
func (c *console) runArchivedTasks(w http.ResponseWriter, r *http.Request, a action, ids []string) {
	done, failed := []string{}, []string{}
	var last error
	for _, id := range ids {
		if err := c.runArchivedTask(r.Context(), a.lane, id); err != nil {
			last, failed = err, append(failed, id)
			continue
		}
		done = append(done, id)
	}
	switch {
	case a.verb == "batch_run":
		writeJSON(w, http.StatusOK, map[string][]string{"pending_ids": done, "error_ids": failed})
	case a.verb == "run_all" && (last == nil || len(done) > 0):
		writeJSON(w, http.StatusOK, map[string]int{"scheduled": len(done)})
	case last == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		http.Error(w, last.Error(), http.StatusConflict)
	}
}

// runArchivedTask enqueues a dead task again from its dead letter and resolves that. A task without
// a dead letter was archived by hand and is run as it is. The error text is for the operator.
func (c *console) runArchivedTask(ctx context.Context, lane, id string) error {
	_, err := c.ledger.Replay(ctx, id, func(ctx context.Context, d ledger.DeadLetter) (string, error) {
		done, err := c.producer.Replay(ctx, queue.Dead{ID: d.TaskID, Kind: d.Kind, Payload: d.Payload, Headers: d.Headers})
		if done == queue.ReplayDone || done == queue.ReplaySuperseded {
			return ledger.StateResolved, err
		}
		return ledger.StateReplayed, err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrInvalid):
		if c.inspector.RunTask(lane, id) == nil {
			return nil
		}
		return errors.New("the task was not run: it is no longer archived, or the queue's Redis does not answer")
	case errors.Is(err, ledger.ErrConflict):
		return errors.New("its dead letter is already replayed or resolved: see rounds dead show")
	case errors.Is(err, queue.ErrRunning):
		return errors.New("the task is running: try again when it has finished")
	case errors.Is(err, queue.ErrID), errors.Is(err, queue.ErrLost):
		return errors.New("the task cannot run again: it was not enqueued by Rounds, or its payload is lost")
	}
	return errors.New("the ledger or the queue's Redis does not answer: the task may or may not run again; it is safe to run it once more")
}
