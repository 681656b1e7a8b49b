package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// parkLife is how long a task waits at most for the end of an equal one before it is tried again.
// Usually that end releases it at once.
const parkLife = 30 * time.Second

// postponement is how long a task waits because an earlier run of it has not ended in the worker
// that took it. Another worker may take it then.
const postponement = time.Second

var (
	popScript      = newScript("pop")
	discardScript  = newScript("discard")
	postponeScript = newScript("postpone")
)

// laneOf returns the lane of one of asynq's keys.
func laneOf(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	lane, _, _ := strings.Cut(rest, "}")
	return lane
}

// none is the reply for an empty lane.
func none(ctx context.Context) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(redis.Nil)
	return cmd
}

// pop takes a task of a lane and replies with its message, as asynq's dequeue does.
func (l *retryingClient) pop(ctx context.Context, lane string) *redis.Cmd {
	if IsQuarantine(lane) {
		return l.popAlone(ctx, lane)
	}
	if !l.leases.enter() {
		return none(ctx)
	}
	defer l.leases.leave()
	return l.take(ctx, lane, []string{asynqKey(lane, suffixPaused)})
}

// take runs the pop script. Its reply may be lost: then the lease ends by itself.
func (l *retryingClient) take(ctx context.Context, lane string, keys []string, args ...any) *redis.Cmd {
	ctx, cancel := l.bound(ctx)
	defer cancel()
	sent := time.Now()
	args = append([]any{seconds(l.leases.life), seconds(parkLife)}, args...)
	reply, err := popScript.on(ctx, l.UniversalClient, lane, keys, args...).StringSlice()
	cmd := redis.NewCmd(ctx)
	switch {
	case err != nil:
		cmd.SetErr(err)
		return cmd
	case len(reply) != 4:
		cmd.SetErr(errors.New("pop script returned an unknown reply"))
		return cmd
	}
	r := &run{id: reply[0], lane: lane, token: reply[2]}
	r.crashes, _ = strconv.Atoi(reply[3])
	if !readable([]byte(reply[1]), r.id, lane) {
		l.log.WarnContext(ctx, "task cannot be read and is archived", "lane", lane)
		if err := discardScript.on(ctx, l.UniversalClient, lane, nil, r.id, r.token).Err(); err != nil {
			cmd.SetErr(err) // its lease ends, and it is popped again
			return cmd
		}
		return none(ctx)
	}
	if !l.leases.add(r, sent) {
		if err := postponeScript.on(ctx, l.UniversalClient, lane, nil, r.id, r.token, seconds(postponement)).Err(); err != nil {
			cmd.SetErr(err) // its lease ends
			return cmd
		}
		return none(ctx)
	}
	cmd.SetVal(reply[1])
	return cmd
}
