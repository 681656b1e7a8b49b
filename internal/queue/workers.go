package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// Worker is one process that takes tasks, as it announced itself within the
// last seconds.
type Worker struct {
	// Name is its host and process ID.
	Name string
	// Slots is how many tasks it can run at once, Busy how many it does.
	Slots, Busy int
	// Started is when it began.
	Started time.Time
}

// Workers returns the processes that take tasks, by name. A Server announces
// each of its two halves, which are told here as one.
func Workers(ctx context.Context, rdb redis.UniversalClient) ([]Worker, error) {
	servers, err := inspector(ctx, rdb).Servers()
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", redisconn.Clean(err))
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
