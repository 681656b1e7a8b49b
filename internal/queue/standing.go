package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// HeaderEnqueuedAt is the header of a task that says when it was asked for, in
// RFC 3339. Unlike asynq's own time stamp it survives retries.
const HeaderEnqueuedAt = "enqueued_at"

// Standing is how one lane stands.
type Standing struct {
	// Lane is its name.
	Lane string
	// Paused: no worker takes anything from it.
	Paused bool
	// Pending tasks could run now, Active ones do. Scheduled ones were asked
	// for at a later time; Retry ones have been tried and wait for their time.
	// Archived ones are dead.
	Pending, Active, Scheduled, Retry, Archived int64
	// Oldest is when the oldest demand that still waits was made, of those
	// that were looked at. Zero: nothing waits, or nothing says since when.
	Oldest time.Time
	// Looked counts the waiting tasks that Oldest and Waits are about: at most
	// the 100 next in Pending and the 100 next in Retry.
	Looked int
	// Waits says for what they wait, most tasks first.
	Waits []Wait
}

// Wait is a number of tasks of one kind that wait for the same.
type Wait struct {
	// Kind is the tasks' kind.
	Kind string
	// Code is why the last attempt ended without a result. Empty: no attempt
	// was made, the tasks wait for a free worker.
	Code string
	// Tasks counts them.
	Tasks int
	// Next is when the first of them runs again. Zero: as soon as a worker is
	// free.
	Next time.Time
}

// lookAt is how many tasks of one state are read to say what a lane waits for.
const lookAt = 100

// Standings returns how every lane stands, most urgent first. It costs one round
// trip, and three for each lane in which something waits.
func Standings(ctx context.Context, rdb redis.UniversalClient) ([]Standing, error) {
	out, err := countStandings(ctx, rdb)
	if err != nil {
		return nil, fmt.Errorf("read lanes: %w", clean(err))
	}
	inspector := asynq.NewInspectorFromRedisClient(bound{rdb, ctx})
	for i := range out {
		if err := out[i].look(inspector); err != nil {
			return nil, fmt.Errorf("read lanes: %w", clean(err))
		}
	}
	return out, nil
}

func countStandings(ctx context.Context, rdb redis.UniversalClient) ([]Standing, error) {
	pipe := rdb.Pipeline()
	type counts struct{ pending, active, scheduled, retry, archived, paused *redis.IntCmd }
	asked := make([]counts, len(lanes))
	for i, lane := range lanes {
		asked[i] = counts{
			pending:   pipe.LLen(ctx, asynqKey(lane, suffixPending)),
			active:    pipe.LLen(ctx, asynqKey(lane, suffixActive)),
			scheduled: pipe.ZCard(ctx, asynqKey(lane, suffixSchedule)),
			retry:     pipe.ZCard(ctx, asynqKey(lane, suffixRetry)),
			archived:  pipe.ZCard(ctx, asynqKey(lane, suffixArchived)),
			paused:    pipe.Exists(ctx, asynqKey(lane, suffixPaused)),
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	out := make([]Standing, len(lanes))
	for i, lane := range lanes {
		c := asked[i]
		out[i] = Standing{
			Lane: lane, Paused: c.paused.Val() > 0, Pending: c.pending.Val(), Active: c.active.Val(),
			Scheduled: c.scheduled.Val(), Retry: c.retry.Val(), Archived: c.archived.Val(),
		}
	}
	return out, nil
}

// look reads the next tasks of what waits.
func (s *Standing) look(inspector *asynq.Inspector) error {
	var waiting []*asynq.TaskInfo
	for _, list := range []struct {
		tasks int64
		read  func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)
	}{{s.Pending, inspector.ListPendingTasks}, {s.Retry, inspector.ListRetryTasks}} {
		if list.tasks == 0 {
			continue
		}
		found, err := list.read(s.Lane, asynq.PageSize(lookAt))
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			return err
		}
		waiting = append(waiting, found...)
	}
	s.Looked = len(waiting)
	for _, t := range waiting {
		if at, err := time.Parse(time.RFC3339Nano, t.Headers[HeaderEnqueuedAt]); err == nil && (s.Oldest.IsZero() || at.Before(s.Oldest)) {
			s.Oldest = at
		}
		s.wait(t)
	}
	slices.SortStableFunc(s.Waits, func(a, b Wait) int { return cmp.Compare(b.Tasks, a.Tasks) })
	return nil
}

// wait counts the task among those that wait for the same.
func (s *Standing) wait(t *asynq.TaskInfo) {
	w := Wait{Kind: t.Type}
	if t.State == asynq.TaskStateRetry {
		w.Code, w.Next = CodeOf(t.LastErr), t.NextProcessAt
	}
	i := slices.IndexFunc(s.Waits, func(o Wait) bool { return o.Kind == w.Kind && o.Code == w.Code })
	if i < 0 {
		i = len(s.Waits)
		s.Waits = append(s.Waits, w)
	}
	s.Waits[i].Tasks++
	if w.Next.Before(s.Waits[i].Next) {
		s.Waits[i].Next = w.Next
	}
}
