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
		Short: "Say all that may be known of a dead letter",
		Long: `Say all that may be known of a dead letter: why its task died, its headers, where the task is now and whether it can
be replayed. Its payload stays sealed; only its size is told.`,
		Example: "  rounds dead show sync-…",
		Args:    names("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				return e.showDead(cmd.Context(), s, args[0])
			})
		},
	}
}

// deadDoc is a dead letter with what the queue knows of its task.
type deadDoc struct {
	deadRow
	Headers []headerDoc `json:"headers"`
	Now     string      `json:"now"`    // where its task is: a state of asynq's, "done", or "gone"
	Replay  string      `json:"replay"` // what replaying it would do
}

// headerDoc is one header. The value of one that is not a plain word is told by its length.
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
		return usage("that is not a task's ID")
	case err != nil:
		return err
	}
	doc := deadDoc{deadRow: readDead(l), Headers: []headerDoc{}}
	for _, name := range slices.Sorted(maps.Keys(l.Headers)) {
		doc.Headers = append(doc.Headers, headerDoc{Name: diagnose.Redact(name), Value: diagnose.Redact(l.Headers[name])})
	}
	if doc.Now, err = whereabouts(ctx, s, id); err != nil {
		return err
	}
	doc.Replay = prospects(l, doc.Now)
	return e.answer(doc, doc.write)
}

func noDeadLetter(id string, cause error) *failure {
	return &failure{
		Exit: exitNotFound, Code: "LETTER_NOT_FOUND", What: "there is no dead letter of that task", cause: cause,
		Means: "it did not die, or its letter was removed", Try: []string{"rounds task show " + diagnose.Redact(id), "rounds dead list"},
	}
}

// where a task may be, beside the states of asynq.
const (
	taskDone = "done" // it ended well, within the hour
	taskGone = "gone" // the queue has forgotten it
)

func whereabouts(ctx context.Context, s *stores, taskID string) (string, error) {
	id, err := queue.ParseID(taskID)
	if err != nil {
		return taskGone, nil //nolint:nilerr // the queue has no such tasks
	}
	info, err := queue.Find(ctx, s.queue, id)
	switch {
	case err == nil:
		return info.State.String(), nil
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

// prospects says what a replay would do.
func prospects(l ledger.DeadLetter, now string) string {
	_, err := queue.ParseID(l.TaskID)
	switch {
	case l.State != ledger.StateOpen:
		return "nothing: it is " + l.State
	case err != nil:
		return "nothing: its task was not one of ours"
	case now == taskDone:
		return "settle it: the task has ended well since"
	case now == taskGone && (l.Kind == "" || len(l.Payload) == 0):
		return "nothing: what the task was about is lost"
	case now == queue.StateArchived, now == taskGone:
		return "make the task wait again, with all its attempts"
	case now == queue.StateActive:
		return "nothing yet: the task runs"
	}
	return "mark it replayed: the task waits already"
}

func (d deadDoc) write(w io.Writer) {
	now := time.Now()
	var out details
	out.add("task", d.Task)
	out.add("state", d.State)
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
	out.add("the task now", d.Now)
	out.add("a replay would", d.Replay)
	out.write(w)
}
