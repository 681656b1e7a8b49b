package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	dueScript    = newScript("due")
	unbookScript = newScript("unbook")
)

const (
	// forwardMost and forwardLeast are the longest and the shortest pause between two looks for
	// tasks that are due. Between them, the pause ends when the next task is.
	forwardMost  = 100 * time.Millisecond
	forwardLeast = 5 * time.Millisecond
	// forwardFailed is the pause after a look that failed.
	forwardFailed = time.Second
	// forwardMax is how many tasks of a set one look makes pending.
	forwardMax = 100
)

// forward makes tasks pending when they are due, to the fraction of a second and by Redis' clock.
// asynq's own forwarder does it once a second; tasks that have places in the vendor's budget
// would come in bursts.
func (s *Server) forward(ctx context.Context) {
	var lanes []string
	for _, lane := range s.lanes {
		if !IsQuarantine(lane) { // asynq's forwarder is good enough for its few tasks
			lanes = append(lanes, lane)
		}
	}
	for {
		if pause(ctx, s.forwardDue(ctx, lanes)) != nil {
			return
		}
	}
}

// forwardDue looks once, in one round trip, and returns how long to wait before the next look.
func (s *Server) forwardDue(ctx context.Context, lanes []string) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	pipe := s.o.Redis.Pipeline()
	cmds := make([]*redis.Cmd, len(lanes))
	for i, lane := range lanes {
		cmds[i] = dueScript.EvalSha(ctx, pipe, laneKeys(lane), laneArgs(lane, forwardMax)...)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	wait := forwardMost
	for _, cmd := range cmds {
		left, err := cmd.Int64()
		switch {
		case missingScript(err):
			if err := dueScript.Load(ctx, s.o.Redis).Err(); err != nil {
				return forwardFailed
			}
			wait = 0
		case err != nil:
			return forwardFailed
		case left >= 0:
			wait = min(wait, time.Duration(left)*time.Microsecond)
		}
	}
	return max(wait, forwardLeast)
}

// Unbook makes the booked tasks of a lane pending that are demanded for now, and returns how many
// there were. It looks at the next thousand scheduled tasks.
func Unbook(ctx context.Context, rdb redis.UniversalClient, lane string) (int, error) {
	n, err := unbookScript.on(ctx, rdb, lane, nil, 1000).Int()
	if err != nil {
		return 0, fmt.Errorf("unbook tasks: %w", clean(err))
	}
	return n, nil
}
