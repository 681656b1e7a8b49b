package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// HeaderEnqueuedAt is the header with the time of a task's demand, in RFC 3339. Unlike asynq's own
// timestamp it survives retries.
const HeaderEnqueuedAt = "enqueued_at"

// LaneStats holds the counts of one lane.
type LaneStats struct {
	// Lane is its name.
	Lane string
	// Paused reports that workers take no tasks from it, since PausedAt.
	Paused   bool
	PausedAt time.Time
	// Pending tasks could run now; Active ones run. Scheduled tasks wait for the time that was
	// demanded, or for their place in the vendor's budget. Retry tasks were tried and wait.
	// Archived tasks are dead.
	Pending, Active, Scheduled, Retry, Archived int64
	// Overdue counts the scheduled tasks whose time passed more than ten seconds ago. Workers make
	// them pending at once, so a lane that is not paused has none unless no worker serves it.
	Overdue int64
	// Processed counts the attempts that ended since midnight UTC, Failed the failures among them,
	// and ProcessedTotal all attempts that ever ended.
	Processed, Failed, ProcessedTotal int64
	// NextDue is when the first scheduled or retried task is due. Zero if there is none.
	NextDue time.Time
	// Oldest is the time of the oldest demand among the sampled tasks. Zero if no task waits, or
	// none carries its time.
	Oldest time.Time
	// Sampled counts the waiting tasks that Oldest and Waits cover: at most the next 100 pending
	// and the next 100 retries.
	Sampled int
	// Waits lists the reasons for which they wait, most tasks first.
	Waits []Wait
	// Damaged reports that some of the lane's keys have another form than asynq's, so that its
	// counts are incomplete.
	Damaged bool
}

// Wait is a group of tasks of one kind that wait for the same reason.
type Wait struct {
	// Kind is the tasks' kind. Empty if it is not a well-formed kind.
	Kind string
	// Code is why the last attempt ended without a result. Empty if no attempt was made: the tasks
	// wait for a free worker.
	Code codes.Code
	// Tasks counts them.
	Tasks int
	// Next is when the first of them runs again. Zero means as soon as a worker is free.
	Next time.Time
}

// overdue is how long after its time a scheduled task counts as overdue.
const overdue = 10 * time.Second

// sampleSize is how many tasks of one state are read to find the reasons.
const sampleSize = 100

// Stats returns the counts of our own lanes, most urgent first, and of the services' lanes that
// have received tasks. It costs two round trips, and three more for each lane with waiting tasks.
func Stats(ctx context.Context, rdb redis.UniversalClient) ([]LaneStats, error) {
	out, err := countLanes(ctx, rdb)
	if err != nil {
		return nil, fmt.Errorf("read lanes: %w", clean(err))
	}
	look := inspector(ctx, rdb)
	for i := range out {
		if err := out[i].sample(look); err != nil {
			// The inspector's errors do not distinguish damage from an unreachable Redis.
			if err := rdb.Ping(ctx).Err(); err != nil {
				return nil, fmt.Errorf("read lanes: %w", clean(err))
			}
			out[i].Damaged = true
		}
	}
	return out, nil
}

func countLanes(ctx context.Context, rdb redis.UniversalClient) ([]LaneStats, error) {
	lanes, err := FindLanes(ctx, rdb)
	if err != nil {
		return nil, err
	}
	pipe := rdb.Pipeline()
	now := time.Now().UTC()
	asked := make([]counts, len(lanes))
	for i, lane := range lanes {
		asked[i] = requestCounts(ctx, pipe, lane, now)
	}
	// One key of another type must not hide the other lanes.
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) && !wrongType(err) {
		return nil, err
	}
	out := make([]LaneStats, len(lanes))
	for i, lane := range lanes {
		out[i] = asked[i].stats(lane)
		for _, cmd := range asked[i].all() {
			switch err := cmd.Err(); {
			case wrongType(err):
				out[i].Damaged = true
			case err != nil && !errors.Is(err, redis.Nil):
				return nil, err
			}
		}
	}
	return out, nil
}

func wrongType(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

// all returns every command.
func (c counts) all() []redis.Cmder {
	out := []redis.Cmder{c.pending, c.active, c.scheduled, c.overdue, c.retry, c.archived, c.paused, c.processed, c.failed, c.total}
	for _, cmd := range c.next {
		out = append(out, cmd)
	}
	return out
}

// counts are the pending replies about one lane.
type counts struct {
	pending, active, scheduled, overdue, retry, archived *redis.IntCmd
	paused, processed, failed, total                     *redis.StringCmd
	next                                                 []*redis.ZSliceCmd
}

func requestCounts(ctx context.Context, pipe redis.Pipeliner, lane string, now time.Time) counts {
	key := func(suffix string) string { return asynqKey(lane, suffix) }
	today := ":" + now.Format(time.DateOnly)
	c := counts{
		pending: pipe.LLen(ctx, key(suffixPending)), active: pipe.LLen(ctx, key(suffixActive)),
		scheduled: pipe.ZCard(ctx, key(suffixSchedule)), retry: pipe.ZCard(ctx, key(suffixRetry)),
		overdue:  pipe.ZCount(ctx, key(suffixSchedule), "-inf", strconv.FormatInt(now.Add(-overdue).Unix(), 10)),
		archived: pipe.ZCard(ctx, key(suffixArchived)),
		paused:   pipe.Get(ctx, key(suffixPaused)), total: pipe.Get(ctx, key(suffixProcessed)),
		processed: pipe.Get(ctx, key(suffixProcessed)+today), failed: pipe.Get(ctx, key(suffixFailed)+today),
	}
	for _, suffix := range []string{suffixSchedule, suffixRetry} {
		c.next = append(c.next, pipe.ZRangeWithScores(ctx, key(suffix), 0, 0))
	}
	return c
}

func (c counts) stats(lane string) LaneStats {
	number := func(cmd *redis.StringCmd) int64 {
		n, _ := strconv.ParseInt(cmd.Val(), 10, 64) // an absent counter is zero
		return n
	}
	s := LaneStats{
		Lane: lane, Pending: c.pending.Val(), Active: c.active.Val(), Scheduled: c.scheduled.Val(), Overdue: c.overdue.Val(),
		Retry: c.retry.Val(), Archived: c.archived.Val(), Processed: number(c.processed), Failed: number(c.failed), ProcessedTotal: number(c.total),
		Paused: c.paused.Err() == nil,
	}
	if s.Paused {
		s.PausedAt = time.Unix(number(c.paused), 0).UTC()
	}
	for _, first := range c.next {
		for _, z := range first.Val() {
			if at := time.Unix(int64(z.Score), 0).UTC(); s.NextDue.IsZero() || at.Before(s.NextDue) {
				s.NextDue = at
			}
		}
	}
	return s
}

// sample reads the next waiting tasks.
func (s *LaneStats) sample(inspector *asynq.Inspector) error {
	var waiting []*asynq.TaskInfo
	for _, list := range []struct {
		tasks int64
		read  func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error)
	}{{s.Pending, inspector.ListPendingTasks}, {s.Retry, inspector.ListRetryTasks}} {
		if list.tasks == 0 {
			continue
		}
		found, err := list.read(s.Lane, asynq.PageSize(sampleSize))
		if err != nil && !errors.Is(err, asynq.ErrQueueNotFound) {
			return err
		}
		waiting = append(waiting, found...)
	}
	s.Sampled = len(waiting)
	for _, t := range waiting {
		if at, err := time.Parse(time.RFC3339Nano, t.Headers[HeaderEnqueuedAt]); err == nil && (s.Oldest.IsZero() || at.Before(s.Oldest)) {
			s.Oldest = at
		}
		s.addWait(t)
	}
	slices.SortStableFunc(s.Waits, func(a, b Wait) int { return cmp.Compare(b.Tasks, a.Tasks) })
	return nil
}

// addWait counts the task in the group of its kind and reason.
func (s *LaneStats) addWait(t *asynq.TaskInfo) {
	var w Wait
	if _, err := ParseID(t.ID); err == nil { // otherwise another program chose the type
		w.Kind = word(t.Type)
	}
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
