package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/tasks"
)

func newTaskExplain(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "explain ID",
		Short: "Explain why a task waits, and when it starts",
		Long: `Explain why a task waits, from the outermost reason to its own, and when it is expected to start. If the first reason were
gone, the task would still wait for the second. A start is unknown if the end of a reason is not known.

It needs the queue's Redis alone, and changes nothing.`,
		Example: "  rounds task explain ….sync",
		Args:    names("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue, func(s *stores) error {
				return e.explainTask(cmd.Context(), s, args[0])
			})
		},
	}
}

// explanationDoc is the result of task explain.
type explanationDoc struct {
	At         time.Time   `json:"at"`
	ID         string      `json:"id"`
	State      tasks.State `json:"state"`
	Tenant     string      `json:"tenant,omitzero"`
	Kind       string      `json:"kind,omitzero"`
	Lane       string      `json:"lane,omitzero"`
	Attempt    int         `json:"attempt"`
	EnqueuedAt time.Time   `json:"enqueued_at,omitzero"`
	Reasons    []reasonDoc `json:"reasons"` // the outermost first; empty if it does not wait
	Start      *startDoc   `json:"start,omitempty"`
}

// reasonDoc is one reason why a task waits.
type reasonDoc struct {
	Code  string    `json:"code"`
	Text  string    `json:"text"`
	By    string    `json:"by,omitzero"`  // the operator who caused it
	Why   string    `json:"why,omitzero"` // and that one's reason
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// startDoc is when a task is expected to start.
type startDoc struct {
	At        time.Time `json:"at,omitzero"`         // absent if it is unknown
	NotBefore time.Time `json:"not_before,omitzero"` // if At is unknown
	Text      string    `json:"text"`                // how it was computed, or why it is unknown
}

func (e *env) explainTask(ctx context.Context, s *stores, id string) error {
	x, err := tasks.NewReader(s.queue).Explain(ctx, id)
	switch {
	case errors.Is(err, tasks.ErrID):
		f := usage("not a task ID")
		f.Means, f.Try = "an ID is spelled digest.number.lane, as rounds enqueue prints it", []string{"rounds queue show LANE lists the tasks of a lane"}
		return f
	case err != nil:
		return err
	case x.State == tasks.StateUnknown:
		return &failure{
			Exit: exitNotFound, Code: "TASK_NOT_FOUND", What: "there is no such task in the queue",
			Means: "it never existed, or it ended more than an hour ago", Try: []string{"rounds task show " + id},
		}
	}
	doc := explanationDoc{
		At: time.Now().UTC(), ID: x.ID, State: x.State, Tenant: x.Tenant, Kind: x.Kind, Lane: x.Lane, Attempt: x.Attempt,
		EnqueuedAt: x.EnqueuedAt, Reasons: make([]reasonDoc, 0, len(x.Reasons)),
	}
	for _, r := range x.Reasons {
		doc.Reasons = append(doc.Reasons, reasonDoc{string(r.Code), r.Text, r.By, r.Why, r.Since, r.Until})
	}
	if len(x.Reasons) > 0 {
		doc.Start = &startDoc{x.Start.At, x.Start.NotBefore, x.Start.Text}
	}
	return e.answer(doc, doc.write)
}

func (d explanationDoc) write(w io.Writer) {
	var out details
	out.add("task", d.ID)
	out.add("state", string(d.State))
	out.addTask(d.Tenant, d.Kind, d.Lane, d.Attempt)
	out.addTime("enqueued", d.EnqueuedAt, d.At)
	if d.Start == nil {
		out.add("starts", "it does not wait; see rounds task show")
		out.write(w)
		return
	}
	for i, r := range d.Reasons {
		label := "waits because"
		if i > 0 {
			label = "and because"
		}
		out.add(label, r.describe(d.At))
	}
	switch {
	case !d.Start.At.IsZero():
		out.addTime("starts", d.Start.At, d.At)
	case !d.Start.NotBefore.IsZero():
		out.add("starts", fmt.Sprintf("unknown, not before %s (%s)", d.Start.NotBefore.UTC().Format(time.RFC3339), diagnose.Ago(d.Start.NotBefore, d.At)))
	default:
		out.add("starts", unknown)
	}
	out.add("computed from", d.Start.Text)
	out.write(w)
}

// describe returns the reason with its code and times.
func (r reasonDoc) describe(now time.Time) string {
	text := r.Text + " (" + r.Code
	if r.By != "" {
		text += ", by " + r.By
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	if !r.Since.IsZero() {
		text += ", for " + age(r.Since, now)
	}
	if !r.Until.IsZero() {
		text += ", ends " + diagnose.Ago(r.Until, now)
	}
	return text + ")"
}
