package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Worker is a process that takes tasks and has sent a heartbeat within the last seconds.
type Worker struct {
	// Name is its host and process ID.
	Name string
	// Slots is the number of tasks that it can run at once, Busy the number that it runs.
	Slots, Busy int
	// Started is when it started.
	Started time.Time
	// Lanes are those that it takes tasks of, sorted. A worker that is being stopped has none.
	Lanes []string
}

// silence is how old the last heartbeat of a living worker may be. A worker sends one every five
// seconds for each of its pools. asynq itself forgets a killed worker after ten seconds.
const silence = 7500 * time.Millisecond

// Workers returns the processes that take tasks, sorted by name. It merges the two asynq servers of
// a Server.
func Workers(ctx context.Context, rdb redis.UniversalClient) ([]Worker, error) {
	servers, err := inspector(ctx, rdb).Servers()
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", clean(err))
	}
	ages, err := heartbeats(ctx, rdb, servers)
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", clean(err))
	}
	byName := map[string]Worker{}
	alive := map[string]bool{}
	for i, s := range servers {
		name := word(s.Host) + ":" + strconv.Itoa(s.PID)
		w := byName[name]
		w.Name = name
		w.Slots += s.Concurrency
		w.Busy += len(s.ActiveWorkers)
		if w.Started.IsZero() || s.Started.Before(w.Started) {
			w.Started = s.Started
		}
		if s.Status == asynqServerActive {
			w.Lanes = slices.AppendSeq(w.Lanes, maps.Keys(s.Queues))
		}
		byName[name] = w
		alive[name] = alive[name] || ages[i] <= silence
	}
	out := make([]Worker, 0, len(byName))
	for _, w := range byName {
		if !alive[w.Name] {
			continue
		}
		slices.Sort(w.Lanes)
		w.Lanes = slices.DeleteFunc(slices.Compact(w.Lanes), func(lane string) bool { return !KnownLane(lane) })
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// heartbeats returns how long ago each server sent its last heartbeat, by Redis' clock, to half a
// second.
func heartbeats(ctx context.Context, rdb redis.UniversalClient, servers []*asynq.ServerInfo) ([]time.Duration, error) {
	if len(servers) == 0 {
		return nil, nil
	}
	left := make([]*redis.DurationCmd, len(servers))
	_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, s := range servers {
			left[i] = pipe.TTL(ctx, asynqServerKey(s.Host, s.PID, s.ID))
		}
		return nil
	})
	ages := make([]time.Duration, len(servers))
	for i, l := range left {
		ages[i] = asynqServerLife - l.Val() // a key that is gone has a negative rest
	}
	return ages, err
}
