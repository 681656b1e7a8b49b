package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

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
}

// Workers returns the processes that take tasks, sorted by name. It merges the two asynq servers of
// a Server.
func Workers(ctx context.Context, rdb redis.UniversalClient) ([]Worker, error) {
	servers, err := inspector(ctx, rdb).Servers()
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", clean(err))
	}
	byName := map[string]Worker{}
	for _, s := range servers {
		name := word(s.Host) + ":" + strconv.Itoa(s.PID)
		w := byName[name]
		w.Name = name
		w.Slots += s.Concurrency
		w.Busy += len(s.ActiveWorkers)
		if w.Started.IsZero() || s.Started.Before(w.Started) {
			w.Started = s.Started
		}
		byName[name] = w
	}
	out := make([]Worker, 0, len(byName))
	for _, w := range byName {
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b Worker) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
