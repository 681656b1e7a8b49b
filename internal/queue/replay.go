package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
)

var replayScript = newScript("replay")

// Dead is a dead task that is to run again, as its dead letter describes it.
type Dead struct {
	// ID is the task's ID. Required.
	ID string
	// Kind is the task's type in asynq. If empty, Replay reads it from asynq's archive.
	Kind string
	// Payload is the sealed payload, which opens only for this ID. If empty, Replay reads it from
	// asynq's archive.
	Payload []byte
	// Headers are the task's headers.
	Headers map[string]string
}

// ReplayResult is the effect of Replay.
type ReplayResult string

// The results of Replay.
const (
	// ReplayQueued means that the task waits again, with all its attempts.
	ReplayQueued ReplayResult = "queued"
	// ReplayWaiting means that it already waits.
	ReplayWaiting ReplayResult = "waiting"
	// ReplayDone means that it has succeeded since, at most an hour ago.
	ReplayDone ReplayResult = "done"
	// ReplaySuperseded means that an equal task was demanded later, and does the same work.
	ReplaySuperseded ReplayResult = "superseded"
)

// ErrLost means that neither the dead letter nor asynq has the task's kind and payload.
var ErrLost = errors.New("queue: the task's payload is lost")

// ErrRunning means that the task is running. Its dead letter may belong to this very run, because
// it is written before asynq archives the task; marking it replayed would lose it. Replay it after
// the run has ended.
var ErrRunning = errors.New("queue: the task is running")

// resultRunning is the script's reply for ErrRunning.
const resultRunning = "running"

// replayTimeout is asynq's limit for an attempt of a replayed task whose former limit is unknown.
// It exceeds every kind's limit; the router's is shorter.
const replayTimeout = 35 * time.Minute

// Replay makes a dead task wait again under its own ID. It needs no key, because the payload stays
// sealed. Repeating it is safe. It returns ErrID for a malformed ID, ErrLost, ErrRunning, or an
// error of Redis.
func (p *Producer) Replay(ctx context.Context, d Dead) (ReplayResult, error) {
	id, err := ParseID(d.ID)
	if err != nil {
		return "", err
	}
	timeout, confined, err := p.complete(ctx, id, &d)
	if err != nil || confined != "" {
		return confined, err
	}
	call, err := p.record(ctx, id, asynq.NewTaskWithHeaders(d.Kind, d.Payload, d.Headers), timeout, time.Time{})
	if err != nil {
		return "", fmt.Errorf("replay task: %w", err)
	}
	if err := p.rdb.SAdd(ctx, asynqQueues, id.Lane).Err(); err != nil {
		return "", fmt.Errorf("replay task: %w", clean(err))
	}
	result, err := replayScript.on(ctx, p.rdb, id.Lane, []string{id.outcomeKey()}, id.String(), id.Digest,
		strconv.FormatUint(id.Generation, 10), call.message, call.pendingSince).Text()
	if err != nil {
		return "", fmt.Errorf("replay task: %w", clean(err))
	}
	if result == resultRunning {
		return "", ErrRunning
	}
	// A task that crashed its worker is archived in quarantine. It runs again in its own lane.
	quarantine := QuarantineOf(id.Lane)
	err = removeScript.Run(ctx, p.rdb, []string{asynqKey(quarantine, suffixArchived)}, asynqTaskPrefix(quarantine), StateArchived, d.ID).Err()
	if err != nil {
		return "", fmt.Errorf("replay task: %w", clean(err))
	}
	return ReplayResult(result), nil
}

// complete fills the missing fields of the dead letter from asynq's task and returns the task's
// limit. The result is set if the task is not dead but in quarantine.
func (p *Producer) complete(ctx context.Context, id ID, d *Dead) (time.Duration, ReplayResult, error) {
	timeout := replayTimeout
	info, err := find(ctx, p.rdb, id)
	if err == nil && info.Queue != id.Lane && info.State != asynq.TaskStateArchived {
		if info.State == asynq.TaskStateActive {
			return 0, "", ErrRunning
		}
		return 0, ReplayWaiting, nil
	}
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
		return 0, "", err
	}
	if d.Kind == "" || len(d.Payload) == 0 {
		return 0, "", ErrLost
	}
	return timeout, "", nil
}
