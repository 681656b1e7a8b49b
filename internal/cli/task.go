package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

func newTask(e *env) *cobra.Command {
	show := &cobra.Command{
		Use:   "show ID",
		Short: "Show the state of a task",
		Long: `Show the state of a task, why it waits or died, and when it runs next. Its arguments stay sealed.

The outcome of a successful task is kept for an hour, that of a dead task as long as its dead letter.`,
		Example: "  rounds task show ….sync",
		Args:    names("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withTools(cmd.Context(), func(t *app.Tools) error { return e.showTask(cmd.Context(), t, args[0]) })
		},
	}
	return e.group("task", "Show tasks, and explain why they wait", show, newTaskExplain(e))
}

// taskDoc is the result of task show.
type taskDoc struct {
	ID         string      `json:"id"`
	State      tasks.State `json:"state"`
	Tenant     string      `json:"tenant,omitzero"`
	Kind       string      `json:"kind,omitzero"`
	Lane       string      `json:"lane,omitzero"`
	Code       string      `json:"code,omitzero"` // why it waits or died
	Attempt    int         `json:"attempt"`
	EnqueuedAt time.Time   `json:"enqueued_at,omitzero"`
	NextAt     time.Time   `json:"next_at,omitzero"`
	FinishedAt time.Time   `json:"finished_at,omitzero"`
	DeadLetter string      `json:"letter,omitzero"` // the state of its dead letter

	now time.Time
}

func (e *env) showTask(ctx context.Context, t *app.Tools, id string) error {
	s, err := t.Tasks.Status(ctx, id)
	if errors.Is(err, tasks.ErrID) {
		return usage("not a task ID")
	}
	if err != nil {
		return err
	}
	doc := taskDoc{
		ID: s.ID, State: s.State, Tenant: s.Tenant, Kind: s.Kind, Lane: s.Lane, Code: string(s.Code), Attempt: s.Attempt,
		EnqueuedAt: s.EnqueuedAt, NextAt: s.NextAt, FinishedAt: s.FinishedAt, now: time.Now(),
	}
	dead, err := t.Ledger.DeadLetter(ctx, id)
	switch {
	case err == nil:
		doc.bury(dead)
	case !errors.Is(err, ledger.ErrNotFound):
		return err
	case s.State == tasks.StateUnknown:
		return &failure{
			Exit: exitNotFound, Code: "TASK_NOT_FOUND", What: "there is no such task", cause: err,
			Means: "it never existed, or it succeeded more than an hour ago",
		}
	}
	return e.answer(doc, doc.write)
}

// bury adds the dead letter of a task. The queue deletes dead tasks, so the state comes from the
// dead letter, unless its replay has brought the task back into the queue.
func (d *taskDoc) bury(l ledger.DeadLetter) {
	d.DeadLetter = l.State
	if d.State != tasks.StateUnknown && d.State != tasks.StateDead {
		return
	}
	d.State, d.Tenant, d.Kind, d.Lane = tasks.StateDead, l.Tenant.String(), l.Kind, l.Lane
	d.Code, d.Attempt, d.EnqueuedAt, d.FinishedAt = l.Code, l.Attempts, l.EnqueuedAt, l.DiedAt
}

func (d taskDoc) write(w io.Writer) {
	var out details
	out.add("task", d.ID)
	out.add("state", string(d.State))
	out.add("because", d.Code)
	out.addTask(d.Tenant, d.Kind, d.Lane, d.Attempt)
	out.addTime("enqueued", d.EnqueuedAt, d.now)
	out.addTime("next", d.NextAt, d.now)
	out.addTime("ended", d.FinishedAt, d.now)
	out.add("dead letter", d.DeadLetter)
	out.write(w)
}

// addTask adds whose task it is, what it does and where, and how often it was attempted.
func (d *details) addTask(owner, kind, lane string, attempts int) {
	d.add("tenant", owner)
	d.add("kind", kind)
	d.add("lane", lane)
	if attempts > 0 {
		d.add("attempts", fmt.Sprint(attempts))
	}
}
