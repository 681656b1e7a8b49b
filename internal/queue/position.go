package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Position is where a task waits, and what its lane does at the moment. All times are of Redis'
// clock.
type Position struct {
	// Task is the task. Its NextAt has the fraction of a second; it is zero for a task that waits
	// for the end of an equal one.
	Task
	// Now is when it was read.
	Now time.Time
	// Lane is the lane that has the task: the one of its ID, or that one's quarantine lane.
	Lane string
	// Booked reports that the task is scheduled for its place in the vendor's budget.
	Booked bool
	// DemandedFor is the time that a scheduled task was demanded for; zero if that was the time of
	// the demand.
	DemandedFor time.Time
	// Parked reports that the task waits for the end of an equal one, and Behind is the ID of that
	// one, if it is known.
	Parked bool
	Behind string
	// Before is how many pending tasks of the lane are taken before a pending one; -1 if there are
	// more than are counted.
	Before int
	// PausedAt is when an operator paused the lane; zero if it is not paused. PausedBy is who, if
	// that is known.
	PausedAt time.Time
	PausedBy PausedBy
	// Closed is why workers take no tasks of the lane for now, such as codes.CacheUnavailable, and
	// ClosedSince when they began. It is empty if they take tasks.
	Closed      codes.Code
	ClosedSince time.Time
	// Slots is how many tasks the workers that serve the lane can run at once, and Busy how many
	// they run, of all lanes that share the slots. Both are a few seconds old.
	Slots, Busy int
	// Unserved reports that no worker serves the lane. It is false if the workers could not be
	// read.
	Unserved bool
}

const (
	// maxCounted bounds the search for a pending task in its lane.
	maxCounted = 20_000
	// maxServers bounds the asynq servers that are read. Each worker has two.
	maxServers = 500
)

// FindPosition returns where a task waits that has not ended, and ErrNoTask if there is none. Of a
// task that does not wait it returns the Task alone. It costs two round trips.
func FindPosition(ctx context.Context, rdb redis.UniversalClient, id ID) (Position, error) {
	lanes := []string{id.Lane}
	if q := QuarantineOf(id.Lane); q != id.Lane {
		lanes = append(lanes, q)
	}
	found := make([]sought, len(lanes))
	var clock *redis.TimeCmd
	var record *redis.SliceCmd
	var servers *redis.StringSliceCmd
	pipe := rdb.Pipeline()
	for i, lane := range lanes {
		found[i] = seek(ctx, pipe, lane, id)
	}
	record = pipe.HMGet(ctx, recordPrefix(id.Lane)+id.Digest, "run")
	servers = pipe.ZRangeByScore(ctx, asynqServers, &redis.ZRangeBy{
		Min: strconv.FormatInt(time.Now().Unix(), 10), Max: "+inf", Count: maxServers,
	})
	clock = pipe.Time(ctx)
	_, _ = pipe.Exec(ctx) // each command has its own error
	if err := clock.Err(); err != nil {
		return Position{}, fmt.Errorf("find task: %w", clean(err))
	}
	for _, s := range found {
		p, err := s.position(id, clock.Val())
		if errors.Is(err, ErrNoTask) {
			continue
		}
		if err != nil {
			return Position{}, err
		}
		if run := texts(record, 1)[0]; run != "" && p.Parked {
			p.Behind = IDOf(run)
		}
		return p, p.complete(ctx, rdb, servers)
	}
	return Position{}, ErrNoTask
}

// sought are the pending replies about a task in one lane.
type sought struct {
	name             string
	lane             hindrances
	task             *redis.SliceCmd
	scheduled, retry *redis.FloatCmd
}

func seek(ctx context.Context, pipe redis.Pipeliner, lane string, id ID) sought {
	raw := id.String()
	return sought{
		name: lane, lane: requestHindrances(ctx, pipe, lane), task: pipe.HMGet(ctx, asynqTaskPrefix(lane)+raw, "msg", "state", "parked", "booked"),
		scheduled: pipe.ZScore(ctx, asynqKey(lane, suffixSchedule), raw), retry: pipe.ZScore(ctx, asynqKey(lane, suffixRetry), raw),
	}
}

// position returns what the replies say.
func (s sought) position(id ID, now time.Time) (Position, error) {
	fields, err := s.task.Result()
	switch {
	case wrongType(err):
		return Position{}, ErrNoTask // a damaged record
	case err != nil:
		return Position{}, fmt.Errorf("find task: %w", clean(err))
	case len(fields) != 4:
		return Position{}, fmt.Errorf("find task: %w", redisconn.ErrUnavailable)
	}
	message, ok := fields[0].(string)
	if !ok {
		return Position{}, ErrNoTask
	}
	p := Position{Task: readMessage([]byte(message), id), Now: now, Lane: s.name}
	p.State, _ = fields[1].(string)
	switch p.State {
	case StateScheduled:
		if p.Parked = fields[2] != nil; p.Parked {
			break
		}
		p.NextAt = timeOf(s.scheduled)
		p.DemandedFor = p.NextAt
		if demanded, ok := fields[3].(string); ok {
			p.Booked, p.Code, p.DemandedFor = true, codes.Booked, time.Time{}
			if at, err := strconv.ParseInt(demanded, 10, 64); err == nil && at > 0 {
				p.DemandedFor = time.Unix(at, 0).UTC()
			}
		}
	case StateRetry:
		p.NextAt = timeOf(s.retry)
	}
	s.lane.read(&p)
	return p, nil
}

// timeOf returns the time of a score; zero for a task that has left the set in the meantime.
func timeOf(score *redis.FloatCmd) time.Time {
	if score.Err() != nil {
		return time.Time{}
	}
	return time.UnixMicro(int64(score.Val() * 1e6)).UTC()
}

// Waits reports whether the task waits.
func (p Position) Waits() bool {
	return p.State == StatePending || p.State == StateScheduled || p.State == StateRetry
}

// complete reads what depends on the first replies: the place of a pending task, and the workers.
// What cannot be read stays unknown.
func (p *Position) complete(ctx context.Context, rdb redis.UniversalClient, servers *redis.StringSliceCmd) error {
	if !p.Waits() {
		return nil
	}
	var place, length *redis.IntCmd
	infos := make([]*redis.StringCmd, len(servers.Val()))
	pipe := rdb.Pipeline()
	if p.State == StatePending {
		// Workers take from the end of the list.
		place = pipe.LPos(ctx, asynqKey(p.Lane, suffixPending), p.raw, redis.LPosArgs{Rank: -1, MaxLen: maxCounted})
		length = pipe.LLen(ctx, asynqKey(p.Lane, suffixPending))
	}
	for i, key := range servers.Val() {
		infos[i] = pipe.Get(ctx, key)
	}
	if pipe.Len() > 0 {
		if _, err := pipe.Exec(ctx); err != nil && !redisconn.IsReply(err) && !errors.Is(err, redis.Nil) {
			return fmt.Errorf("find task: %w", clean(err))
		}
	}
	if place != nil {
		if p.Before = -1; place.Err() == nil && length.Err() == nil {
			p.Before = int(length.Val() - 1 - place.Val())
		}
	}
	for _, info := range infos {
		p.serve([]byte(info.Val()))
	}
	p.Unserved = servers.Err() == nil && p.Slots == 0
	return nil
}

// serve counts an asynq server if it serves the lane.
func (p *Position) serve(info []byte) {
	s := readServer(info)
	if !s.lanes[p.Lane] {
		return
	}
	p.Slots += s.slots
	p.Busy += s.busy
}
