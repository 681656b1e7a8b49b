package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/queue"
)

const (
	defaultLook = 1000
	maxLook     = 20_000
	maxNext     = 5 // next tasks listed for each state
)

func newQueueShow(e *env) *cobra.Command {
	var look int
	cmd := &cobra.Command{
		Use:   "show LANE",
		Short: "Show the tasks of a lane, why they wait and what is next",
		Long: `Show the tasks of a lane by state, kind and tenant, why they wait, and when the next ones are due. Arguments stay sealed.

In a long lane, only the next tasks are counted; --look sets how many of each state.`,
		Example: "  rounds queue show sync\n  rounds queue show sync --look 20000 --json",
		Args:    names("LANE"), ValidArgsFunction: completeLane, PreRunE: within("--look", &look, maxLook),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := lane(args[0])
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedQueue, func(s *stores) error {
				if err := s.lane(cmd.Context(), name); err != nil {
					return err
				}
				return e.showLane(cmd.Context(), s, name, look)
			})
		},
	}
	cmd.Flags().IntVar(&look, "look", defaultLook, "number of tasks to read in each state")
	return cmd
}

// laneTasksDoc is the result of queue show: a lane and its tasks.
type laneTasksDoc struct {
	At     time.Time  `json:"at"`
	Lane   laneDoc    `json:"lane"`
	States []stateDoc `json:"states"`
}

// stateDoc describes the tasks of one state.
type stateDoc struct {
	State   string     `json:"state"`
	Tasks   int64      `json:"tasks"`
	Sampled int        `json:"looked"` // how many of them were read and are counted below
	Kinds   []countDoc `json:"kinds"`
	Tenants []countDoc `json:"tenants"`
	Reasons []countDoc `json:"reasons"` // codes: why they wait or died
	Next    []taskRow  `json:"next"`    // the next ones
}

// countDoc counts the tasks that have a name in common. The name is empty for tasks without one.
type countDoc struct {
	Name  string `json:"name"`
	Tasks int    `json:"tasks"`
	Means string `json:"means,omitempty"`
}

// taskRow is one task.
type taskRow struct {
	ID         string    `json:"id"`
	Kind       string    `json:"kind"`
	Tenant     string    `json:"tenant"`
	Code       string    `json:"code,omitempty"`
	Attempts   int       `json:"attempts"` // failed attempts
	EnqueuedAt time.Time `json:"enqueued_at,omitzero"`
	NextAt     time.Time `json:"next_at,omitzero"`
	DiedAt     time.Time `json:"died_at,omitzero"`
}

func (e *env) showLane(ctx context.Context, s *stores, name string, look int) error {
	all, err := queue.Stats(ctx, s.queue)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(s queue.LaneStats) bool { return s.Lane == name })
	now := time.Now()
	doc := laneTasksDoc{At: now.UTC(), Lane: readLane(all[i], now)}
	for _, state := range []struct {
		name  string
		tasks int64
	}{
		{queue.StatePending, all[i].Pending},
		{queue.StateActive, all[i].Active},
		{queue.StateScheduled, all[i].Scheduled},
		{queue.StateRetry, all[i].Retry},
		{queue.StateArchived, all[i].Archived},
	} {
		d := stateDoc{State: state.name, Tasks: state.tasks, Kinds: []countDoc{}, Tenants: []countDoc{}, Reasons: []countDoc{}, Next: []taskRow{}}
		if state.tasks > 0 {
			found, err := queue.Tasks(ctx, s.queue, name, state.name, look)
			if err != nil {
				return err
			}
			d.count(found)
		}
		doc.States = append(doc.States, d)
	}
	return e.answer(doc, doc.write)
}

func (d *stateDoc) count(found []queue.Task) {
	d.Sampled = len(found)
	d.Kinds = countBy(found, func(t queue.Task) string { return t.Kind })
	d.Tenants = countBy(found, func(t queue.Task) string { return t.Tenant })
	d.Reasons = countBy(found, func(t queue.Task) string { return string(t.Code) })
	for i, r := range d.Reasons {
		d.Reasons[i].Means = d.why(r.Name)
	}
	for _, t := range found[:min(len(found), maxNext)] {
		d.Next = append(d.Next, taskRow{
			ID: t.ID, Kind: t.Kind, Tenant: t.Tenant, Code: string(t.Code), Attempts: t.Attempts,
			EnqueuedAt: t.EnqueuedAt, NextAt: t.NextAt, DiedAt: t.DiedAt,
		})
	}
}

// why explains a code in this state.
func (d *stateDoc) why(code string) string {
	switch {
	case d.State == queue.StateActive:
		return "it is running"
	case d.State == queue.StateScheduled && code == "":
		return "it is scheduled for a later time"
	case d.State == queue.StatePending:
		return codes.Code("").Meaning()
	}
	return codes.Code(code).Meaning()
}

// countBy counts tasks by name, the largest count first.
func countBy(found []queue.Task, name func(queue.Task) string) []countDoc {
	counts := map[string]int{}
	for _, t := range found {
		counts[name(t)]++
	}
	out := make([]countDoc, 0, len(counts))
	for _, n := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, countDoc{Name: n, Tasks: counts[n]})
	}
	slices.SortStableFunc(out, func(a, b countDoc) int { return cmp.Compare(b.Tasks, a.Tasks) })
	return out
}

const maxCounts = 10 // lines printed of each count

func (d laneTasksDoc) write(w io.Writer) {
	l := d.Lane
	_, _ = fmt.Fprintf(w, "%s: %d pending, %d active, %d scheduled, %d retry, %d dead; oldest demand %s, next due %s\n",
		l.Lane, l.Pending, l.Active, l.Scheduled, l.Retry, l.Archived, age(l.OldestAt, d.At), relative(l.NextDue, d.At))
	for _, a := range l.Advice {
		_, _ = fmt.Fprintf(w, "  %s\n", a)
	}
	for _, s := range d.States {
		if s.Tasks == 0 {
			continue
		}
		_, _ = fmt.Fprintf(w, "\n%s: %d", s.State, s.Tasks)
		if int64(s.Sampled) < s.Tasks {
			_, _ = fmt.Fprintf(w, ", the next %d are counted", s.Sampled)
		}
		_, _ = fmt.Fprintln(w)
		writeCounts(w, "why", s.Reasons)
		writeCounts(w, "kind", s.Kinds)
		writeCounts(w, "tenant", s.Tenants)
		table(w, []string{"  NEXT", "KIND", "TENANT", "DEMANDED", "DUE", "FAILED", "CODE"}, s.Next, func(t taskRow) []string {
			due := t.NextAt
			if due.IsZero() {
				due = t.DiedAt
			}
			return []string{
				"  " + cmp.Or(t.ID, unknown), cmp.Or(t.Kind, unknown), cmp.Or(t.Tenant, unknown), relative(t.EnqueuedAt, d.At), relative(due, d.At),
				fmt.Sprint(t.Attempts), t.Code,
			}
		})
	}
}

func writeCounts(w io.Writer, label string, counts []countDoc) {
	for i, c := range counts {
		if i == maxCounts {
			_, _ = fmt.Fprintf(w, "  %-7s and %d more\n", "", len(counts)-i)
			return
		}
		text := cmp.Or(c.Name, unknown)
		if label == "why" {
			text = c.Means
			if c.Name != "" {
				text = c.Name + ": " + cmp.Or(c.Means, unknown)
			}
		}
		_, _ = fmt.Fprintf(w, "  %-7s %7d  %s\n", label, c.Tasks, text)
		label = ""
	}
}
