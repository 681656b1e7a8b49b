package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func newQueue(e *env) *cobra.Command {
	var measure time.Duration
	list := &cobra.Command{
		Use:   "list",
		Short: "Say how every lane stands",
		Long: `Say for each lane what waits, runs and died in it, how old its oldest demand is, and what to do where something is
not as it should be. OLDEST counts from the demand itself: a task that is retried does not become young by it.`,
		Example: "  rounds queue list\n  rounds queue list --measure 5s --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if measure < 0 || measure > time.Minute {
				return usage("--measure must be between 0 and 1m")
			}
			return e.withStores(cmd.Context(), config.NeedQueue, func(s *stores) error {
				return e.listLanes(cmd.Context(), s, measure)
			})
		},
	}
	list.Flags().DurationVar(&measure, "measure", 0, "look twice, this far apart, and tell the attempts that end per second")
	return e.group("queue", "Look at the lanes, stop and clear them", list, newQueueShow(e), newQueuePause(e), newQueueResume(e), newQueuePurge(e))
}

// lanesDoc is how all lanes stand at one time.
type lanesDoc struct {
	At    time.Time `json:"at"`
	Lanes []laneDoc `json:"lanes"`
}

// laneDoc is how one lane stands.
type laneDoc struct {
	Lane           string    `json:"lane"`
	Paused         bool      `json:"paused"`
	PausedSince    time.Time `json:"paused_since,omitzero"`
	Pending        int64     `json:"pending"`
	Active         int64     `json:"active"`
	Scheduled      int64     `json:"scheduled"`
	Retry          int64     `json:"retry"`
	Archived       int64     `json:"archived"`
	OldestAt       time.Time `json:"oldest_at,omitzero"` // when the oldest demand that waits was made
	OldestSeconds  float64   `json:"oldest_seconds"`
	Sampled         int       `json:"looked"` // tasks in which the oldest was searched
	NextDue        time.Time `json:"next_due,omitzero"`
	ProcessedToday int64     `json:"processed_today"` // attempts that ended since midnight UTC
	FailedToday    int64     `json:"failed_today"`
	ProcessedTotal int64     `json:"processed_total"`
	PerSecond      *float64  `json:"per_second,omitempty"` // attempts that ended, while --measure looked
	Advice         []string  `json:"advice"`
}

func readLane(s queue.LaneStats, now time.Time) laneDoc {
	d := laneDoc{
		Lane: s.Lane, Paused: s.Paused, PausedSince: s.PausedAt, Pending: s.Pending, Active: s.Active, Scheduled: s.Scheduled,
		Retry: s.Retry, Archived: s.Archived, OldestAt: s.Oldest.UTC(), Sampled: s.Sampled, NextDue: s.NextDue,
		ProcessedToday: s.Processed, FailedToday: s.Failed, ProcessedTotal: s.ProcessedTotal, Advice: diagnose.LaneAdvice(s, now),
	}
	if !s.Oldest.IsZero() {
		d.OldestSeconds = max(0, now.Sub(s.Oldest).Seconds())
	}
	return d
}

func (e *env) listLanes(ctx context.Context, s *stores, measure time.Duration) error {
	first, err := queue.Stats(ctx, s.queue)
	if err != nil {
		return err
	}
	begun := time.Now()
	all := first
	if measure > 0 {
		e.printf("looking again in %s", measure)
		if err := wait(ctx, measure); err != nil {
			return err
		}
		if all, err = queue.Stats(ctx, s.queue); err != nil {
			return err
		}
	}
	now := time.Now()
	doc := lanesDoc{At: now.UTC(), Lanes: make([]laneDoc, 0, len(all))}
	for i, lane := range all {
		d := readLane(lane, now)
		if measure > 0 {
			rate := float64(lane.ProcessedTotal-first[i].ProcessedTotal) / now.Sub(begun).Seconds()
			d.PerSecond = &rate
		}
		doc.Lanes = append(doc.Lanes, d)
	}
	return e.answer(doc, doc.write)
}

// wait ends after d, or with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d lanesDoc) write(w io.Writer) {
	table(w, []string{"LANE", "PENDING", "ACTIVE", "SCHEDULED", "RETRY", "DEAD", "OLDEST", "NEXT", "TODAY", "FAILED", "PER SECOND"}, d.Lanes,
		func(l laneDoc) []string {
			rate := "-"
			if l.PerSecond != nil {
				rate = fmt.Sprintf("%.1f", *l.PerSecond)
			}
			name := l.Lane
			if l.Paused {
				name += " (paused)"
			}
			return []string{
				name, fmt.Sprint(l.Pending), fmt.Sprint(l.Active), fmt.Sprint(l.Scheduled), fmt.Sprint(l.Retry), fmt.Sprint(l.Archived),
				age(l.OldestAt, d.At), relative(l.NextDue, d.At), fmt.Sprint(l.ProcessedToday), fmt.Sprint(l.FailedToday), rate,
			}
		})
	for _, l := range d.Lanes {
		for _, a := range l.Advice {
			_, _ = fmt.Fprintf(w, "%s: %s\n", l.Lane, a)
		}
	}
}

// lane reads the argument that names one.
func lane(name string) (string, error) {
	if queue.KnownLane(name) {
		return name, nil
	}
	f := usage("there is no such lane")
	f.Found, f.Try = []string{"the lanes are " + strings.Join(queue.Lanes(), ", ")}, []string{"rounds queue list"}
	return "", f
}

// completeLane completes the argument that names a lane.
func completeLane(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return slices.Clone(queue.Lanes()), cobra.ShellCompDirectiveNoFileComp
}

func newQueuePause(e *env) *cobra.Command {
	return e.laneSwitch(true, &cobra.Command{
		Use:   "pause LANE",
		Short: "Let workers take nothing more from a lane",
		Long: `Let workers take nothing more from a lane. What runs goes on, demands are accepted and wait, and nothing resumes by
itself. Pausing a lane that is paused changes nothing and is no error.`,
		Example: "  rounds queue pause warm --yes",
	})
}

func newQueueResume(e *env) *cobra.Command {
	return e.laneSwitch(false, &cobra.Command{
		Use:     "resume LANE",
		Short:   "Let workers take from a lane again",
		Long:    "Let workers take from a lane again. Resuming a lane that is not paused changes nothing and is no error.",
		Example: "  rounds queue resume warm --yes",
	})
}

// laneSwitch makes cmd a command that pauses or resumes a lane.
func (e *env) laneSwitch(pause bool, cmd *cobra.Command) *cobra.Command {
	var yes bool
	cmd.Args, cmd.ValidArgsFunction = names("LANE"), completeLane
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return e.switchLane(cmd.Context(), args[0], yes, pause) }
	yesFlag(cmd, &yes)
	return cmd
}

// switchDoc is what pause and resume answer.
type switchDoc struct {
	Lane    string `json:"lane"`
	Paused  bool   `json:"paused"`
	Changed bool   `json:"changed"` // it was not so before
}

func (e *env) switchLane(ctx context.Context, name string, yes, pause bool) error {
	name, err := lane(name)
	if err != nil {
		return err
	}
	return e.withStores(ctx, config.NeedQueue, func(s *stores) error {
		question, act, state := "Workers will take nothing more from "+name+" until it is resumed. Go on?", queue.Pause, "paused"
		if !pause {
			question, act, state = "Workers will take from "+name+" again. Go on?", queue.Resume, "resumed"
		}
		if err := e.agree(yes, question); err != nil {
			return err
		}
		changed, err := act(ctx, s.queue, name)
		if err != nil {
			return err
		}
		if changed {
			e.acts().InfoContext(ctx, "lane switched", "lane", name, "state", state)
		} else {
			state = "was " + state + " already"
		}
		return e.answer(switchDoc{Lane: name, Paused: pause, Changed: changed}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s %s\n", name, state)
		})
	})
}
