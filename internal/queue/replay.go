package queue

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

//go:embed lua/replay.lua
var replaySource string

var replayScript = redis.NewScript(replaySource)

// Dead is a task that is to run again, as its dead letter tells it.
type Dead struct {
	// ID is the task's ID. Required.
	ID string
	// Kind is the task's type in asynq. Empty: that of the task in asynq's
	// archive.
	Kind string
	// Payload is what travelled: sealed to the ID, so that only this task can
	// be made of it. Empty: that of the task in asynq's archive.
	Payload []byte
	// Headers is what travelled beside it.
	Headers map[string]string
}

// ReplayResult says what Revive did.
type ReplayResult string

// What Revive can do.
const (
	// ReplayQueued: the task waits again, with none of its attempts spent.
	ReplayQueued ReplayResult = "revived"
	// ReplayWaiting: it waits already.
	ReplayWaiting ReplayResult = "waiting"
	// ReplayDone: it has ended well since, at most an hour ago.
	ReplayDone ReplayResult = "done"
	// ReplaySuperseded: another task waits for the same, or began after this
	// one died, and does all that it would.
	ReplaySuperseded ReplayResult = "superseded"
)

// ErrLost means that neither the letter nor asynq has what the task was about.
var ErrLost = errors.New("queue: what the task was about is lost")

// ErrRunning means that the task runs at the moment. Its letter may tell of this
// very run, since it is written before asynq archives the task: who marked it
// replayed then would lose it. It is replayed when the run has ended.
var ErrRunning = errors.New("queue: the task runs at the moment")

// resultRunning is the script's word for ErrRuns.
const resultRunning = "running"

// replayTimeout is asynq's own limit for an attempt of a revived task whose
// former limit is not known any more: beyond every kind's. The router's limit
// is shorter.
const replayTimeout = 35 * time.Minute

// Replay makes a dead task wait again under its own ID. No key is needed: what
// it is about stays sealed. Repeating it is safe. It fails with ErrID for a
// task that never was one of ours, ErrLost, ErrRuns, or an error of Redis.
func (p *Producer) Replay(ctx context.Context, d Dead) (ReplayResult, error) {
	id, err := ParseID(d.ID)
	if err != nil {
		return "", err
	}
	timeout, err := p.complete(ctx, id, &d)
	if err != nil {
		return "", err
	}
	call, err := p.record(ctx, id, asynq.NewTaskWithHeaders(d.Kind, d.Payload, d.Headers), timeout, time.Time{})
	if err != nil {
		return "", fmt.Errorf("revive task: %w", err)
	}
	if err := p.rdb.SAdd(ctx, asynqQueues, id.Lane).Err(); err != nil {
		return "", fmt.Errorf("revive task: %w", redisconn.Clean(err))
	}
	verdict, err := replayScript.Run(ctx, p.rdb,
		[]string{
			id.generationKey(), asynqKey(id.Lane, suffixPending), asynqKey(id.Lane, suffixSchedule),
			asynqKey(id.Lane, suffixRetry), asynqKey(id.Lane, suffixArchived), asynqKey(id.Lane, suffixLease), id.outcomeKey(),
		},
		asynqTaskPrefix(id.Lane), id.stem(), strconv.FormatUint(id.Generation, 10), strconv.FormatUint(id.Generation+1, 10),
		call.message, call.pendingSince, int64(generationLife/time.Second)).Text()
	if err != nil {
		return "", fmt.Errorf("revive task: %w", redisconn.Clean(err))
	}
	if verdict == resultRunning {
		return "", ErrRunning
	}
	return ReplayResult(verdict), nil
}

// complete adds to what the letter holds what asynq still knows of the task,
// and returns its limit.
func (p *Producer) complete(ctx context.Context, id ID, d *Dead) (time.Duration, error) {
	timeout := replayTimeout
	info, err := Find(ctx, p.rdb, id)
	switch {
	case err == nil:
		if info.Timeout > 0 {
			timeout = info.Timeout
		}
		if d.Kind == "" {
			d.Kind = info.Type
		}
		if len(d.Payload) == 0 {
			d.Payload = info.Payload
		}
	case !errors.Is(err, ErrNoTask):
		return 0, err
	}
	if d.Kind == "" || len(d.Payload) == 0 {
		return 0, ErrLost
	}
	return timeout, nil
}
