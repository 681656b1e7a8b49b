package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func newDeadShow(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show a dead letter",
		Long: `Show a dead letter: why its task died, its headers, the task's current state and whether it can be replayed. The
payload stays sealed; only its size is shown.`,
		Example: "  rounds dead show ….sync",
		Args:    names("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.showDead(cmd.Context(), s, args[0])
			})
		},
	}
}

// deadDoc is the result of dead show: the dead letter and the state of its task in the queue.
type deadDoc struct {
	deadRow
	Headers []headerDoc `json:"headers"`
	Now     string      `json:"now"`    // the state of its task: an asynq state, "done" or "gone"
	Replay  string      `json:"replay"` // the effect of a replay
}

// headerDoc is one header, redacted.
type headerDoc struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (e *env) showDead(ctx context.Context, s *stores, id string) error {
	l, err := s.ledger.DeadLetter(ctx, id)
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return noDeadLetter(id, err)
	case errors.Is(err, ledger.ErrInvalid):
		return usage("not a task ID")
	case err != nil:
		return err
	}
	doc := deadDoc{deadRow: readDead(l), Headers: []headerDoc{}}
	if isForeign(l) {
		l.Headers = nil
	}
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		doc.Headers = append(doc.Headers, headerDoc{Name: diagnose.Redact(name), Value: diagnose.Redact(l.Headers[name])})
	}
	if doc.Now, err = taskState(ctx, s, id); err != nil {
		return err
	}
	doc.Replay = replayEffect(l, doc.Now)
	return e.answer(doc, doc.write)
}

func noDeadLetter(id string, cause error) *failure {
	return &failure{
		Exit: exitNotFound, Code: "LETTER_NOT_FOUND", What: "there is no dead letter of this task", cause: cause,
		Means: "the task did not die, or its dead letter was deleted", Try: []string{"rounds task show " + diagnose.Redact(id), "rounds dead list"},
	}
}

// The states of a task that is not in asynq.
const (
	taskDone = "done" // it succeeded within the last hour
	taskGone = "gone" // the queue has no record of it
)

func taskState(ctx context.Context, s *stores, taskID string) (string, error) {
	id, err := queue.ParseID(taskID)
	if err != nil {
		return taskGone, nil //nolint:nilerr // the queue cannot contain such a task
	}
	found, err := queue.Find(ctx, s.queue, id)
	switch {
	case err == nil:
		return found.State, nil
	case !errors.Is(err, queue.ErrNoTask):
		return "", err
	}
	o, err := queue.NewRuns(s.queue).Outcome(ctx, id)
	switch {
	case err == nil && o.State == taskDone:
		return taskDone, nil
	case err != nil && !errors.Is(err, queue.ErrNoOutcome):
		return "", err
	}
	return taskGone, nil
}

// replayEffect describes what a replay would do.
func replayEffect(l ledger.DeadLetter, now string) string {
	_, err := queue.ParseID(l.TaskID)
	switch {
	case l.State != ledger.StateOpen:
		return "nothing: it is " + l.State
	case err != nil:
		return "nothing: the task was not enqueued by Rounds"
	case now == taskDone:
		return "resolve it: the task has succeeded since"
	case now == taskGone && (l.Kind == "" || len(l.Payload) == 0):
		return "nothing: the task's payload is lost"
	case now == queue.StateArchived, now == taskGone:
		return "enqueue the task again, with all its attempts"
	case now == queue.StateActive:
		return "nothing yet: the task is running"
	}
	return "mark it as replayed: the task is already waiting"
}

func (d deadDoc) write(w io.Writer) {
	now := time.Now()
	var out details
	out.add("task", d.Task)
	state := d.State
	if d.Reason != "" {
		state += ": " + d.Reason
	}
	out.add("state", state)
	out.add("because", d.Code+": "+cmp.Or(d.Means, unknown))
	out.add("tenant", cmp.Or(d.Tenant, unknown))
	out.add("kind", cmp.Or(d.Kind, unknown))
	out.add("lane", d.Lane)
	out.add("attempts", fmt.Sprint(d.Attempts))
	out.addTime("enqueued", d.EnqueuedAt, now)
	out.addTime("died", d.DiedAt, now)
	out.add("payload", fmt.Sprintf("%d bytes, sealed", d.Bytes))
	for _, h := range d.Headers {
		out.add("header "+h.Name, h.Value)
	}
	out.add("state now", d.Now)
	out.add("a replay would", d.Replay)
	out.write(w)
}
