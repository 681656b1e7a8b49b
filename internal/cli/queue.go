package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/queue"
)

func newQueue(e *env) *cobra.Command {
	var measure time.Duration
	list := &cobra.Command{
		Use:   "list",
		Short: "Show the state of every lane",
		Long: `Show the waiting, running and dead tasks of every lane, the age of its oldest demand, and advice about anything unusual.
OLDEST is the age of the demand: a retry does not reset it.`,
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
	list.Flags().DurationVar(&measure, "measure", 0, "measure twice, this far apart, and show finished attempts per second")
	return e.group("queue", "Show, pause and purge lanes", list, newQueueShow(e), newQueuePause(e), newQueueResume(e), newQueuePurge(e))
}

// lanesDoc is the result of queue list.
type lanesDoc struct {
	At    time.Time `json:"at"`
	Lanes []laneDoc `json:"lanes"`
}

// laneDoc is the state of one lane.
type laneDoc struct {
	Lane           string    `json:"lane"`
	Paused         bool      `json:"paused"`
	PausedSince    time.Time `json:"paused_since,omitzero"`
	Pending        int64     `json:"pending"`
	Active         int64     `json:"active"`
	Scheduled      int64     `json:"scheduled"`
	Retry          int64     `json:"retry"`
	Archived       int64     `json:"archived"`
	OldestAt       time.Time `json:"oldest_at,omitzero"` // time of the oldest waiting demand
	OldestSeconds  float64   `json:"oldest_seconds"`
	Sampled        int       `json:"looked"` // how many tasks were read to find the oldest
	NextDue        time.Time `json:"next_due,omitzero"`
	ProcessedToday int64     `json:"processed_today"` // attempts that finished since midnight UTC
	FailedToday    int64     `json:"failed_today"`
	ProcessedTotal int64     `json:"processed_total"`
	PerSecond      *float64  `json:"per_second,omitempty"` // attempts that finished during --measure
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
		e.printf("measuring for %s", measure)
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

// wait returns after d, or with the error of ctx.
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

// lane checks the spelling of the argument that names a lane.
func lane(name string) (string, error) {
	if !queue.KnownLane(name) {
		return "", unknownLane(queue.Lanes())
	}
	return name, nil
}

// lane checks that a lane exists: it is one of our own, or has received a task.
func (s *stores) lane(ctx context.Context, name string) error {
	if queue.OwnLane(name) {
		return nil
	}
	known, err := queue.FindLanes(ctx, s.queue)
	if err == nil && !slices.Contains(known, name) {
		return unknownLane(known)
	}
	return err
}

func unknownLane(known []string) error {
	f := usage("unknown lane")
	f.Found, f.Try = []string{"the lanes are " + strings.Join(known, ", ")}, []string{"rounds queue list"}
	return f
}

// completeLane completes the argument that names a lane.
func completeLane(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return queue.Lanes(), cobra.ShellCompDirectiveNoFileComp
}

func newQueuePause(e *env) *cobra.Command {
	reason := ""
	cmd := e.laneSwitch(true, &reason, &cobra.Command{
		Use:   "pause LANE",
		Short: "Stop workers from taking tasks of a lane",
		Long: `Stop workers from taking tasks of a lane. Running tasks continue, and new demands are accepted and wait until the lane is
resumed. Pausing a paused lane has no effect and succeeds. The queue's Redis and the log keep the reason: words, or the number
of a ticket, never the name of a person; rounds task explain shows it with your user name.`,
		Example: "  rounds queue pause warm --reason ops-1234 --yes",
	})
	cmd.Flags().StringVar(&reason, "reason", "", "why: words of letters and digits, like ops-1234")
	return cmd
}

func newQueueResume(e *env) *cobra.Command {
	return e.laneSwitch(false, new(string), &cobra.Command{
		Use:     "resume LANE",
		Short:   "Let workers take tasks of a paused lane again",
		Long:    "Let workers take tasks of a paused lane again. Resuming a lane that is not paused has no effect and succeeds.",
		Example: "  rounds queue resume warm --yes",
	})
}

// laneSwitch turns cmd into a command that pauses or resumes a lane.
func (e *env) laneSwitch(pause bool, reason *string, cmd *cobra.Command) *cobra.Command {
	var yes bool
	cmd.Args, cmd.ValidArgsFunction = names("LANE"), completeLane
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		who := queue.PausedBy{By: e.getenv("USER")}
		if *reason != "" {
			var err error
			if who.Why, err = parseReason(*reason); err != nil {
				return err
			}
		}
		return e.switchLane(cmd.Context(), args[0], yes, pause, who)
	}
	yesFlag(cmd, &yes)
	return cmd
}

// switchDoc is the result of queue pause and queue resume.
type switchDoc struct {
	Lane    string `json:"lane"`
	Paused  bool   `json:"paused"`
	Changed bool   `json:"changed"` // the lane was in the other state
}

// pausedBy returns the function that pauses a lane and keeps who did.
func pausedBy(who queue.PausedBy) func(context.Context, redis.UniversalClient, string) (bool, error) {
	return func(ctx context.Context, rdb redis.UniversalClient, lane string) (bool, error) {
		return queue.Pause(ctx, rdb, lane, who)
	}
}

func (e *env) switchLane(ctx context.Context, name string, yes, pause bool, who queue.PausedBy) error {
	name, err := lane(name)
	if err != nil {
		return err
	}
	return e.withStores(ctx, config.NeedQueue, func(s *stores) error {
		if err := s.lane(ctx, name); err != nil {
			return err
		}
		question, act, state := "Workers will take no more tasks of "+name+" until it is resumed. Continue?", pausedBy(who), "paused"
		if !pause {
			question, act, state = "Workers will take tasks of "+name+" again. Continue?", queue.Resume, "resumed"
		}
		if err := e.confirm(yes, question); err != nil {
			return err
		}
		changed, err := act(ctx, s.queue, name)
		if err != nil {
			return err
		}
		if changed {
			e.actionLog().InfoContext(ctx, "lane paused or resumed", "lane", name, "state", state, "reason", who.Why)
		} else {
			state = "was already " + state
		}
		return e.answer(switchDoc{Lane: name, Paused: pause, Changed: changed}, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "%s %s\n", name, state)
		})
	})
}
