package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// errLane is returned for an unknown lane.
var errLane = errors.New("queue: no such lane")

// Pause keeps workers from taking tasks of a lane. Running tasks continue, and demands are
// accepted. It reports false if the lane was already paused.
func Pause(ctx context.Context, rdb redis.UniversalClient, lane string) (bool, error) {
	if !KnownLane(lane) {
		return false, errLane
	}
	err := rdb.SetArgs(ctx, asynqKey(lane, suffixPaused), time.Now().Unix(), redis.SetArgs{Mode: "NX"}).Err()
	switch {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("pause lane: %w", clean(err))
	}
	return true, nil
}

// Resume lets workers take tasks of a lane again. It reports false if the lane was not paused.
func Resume(ctx context.Context, rdb redis.UniversalClient, lane string) (bool, error) {
	if !KnownLane(lane) {
		return false, errLane
	}
	n, err := rdb.Del(ctx, asynqKey(lane, suffixPaused)).Result()
	if err != nil {
		return false, fmt.Errorf("resume lane: %w", clean(err))
	}
	return n > 0, nil
}
