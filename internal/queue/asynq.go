package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// This file and the scripts under lua/ are the only ones that rely on asynq v0.26.0 beyond its API.
// Tests that run asynq itself cover every line; see asynq_test.go.

// Names of asynq's keys. The keys of a queue begin with asynq:{queue}: so that they share one slot.
const (
	asynqQueues    = "asynq:queues"
	asynqServers   = "asynq:servers" // the keys of what servers publish, by the Unix second at which that expires
	suffixPending  = ":pending"
	suffixPaused   = ":paused" // the Unix second of the pause; absent while the queue is not paused
	suffixActive   = ":active"
	suffixLease    = ":lease"
	suffixRetry    = ":retry"
	suffixSchedule = ":scheduled"
	suffixArchived = ":archived"
	// Counters of ended attempts: a total, and one for each day (UTC, 2006-01-02) that expires
	// after 90 days.
	suffixProcessed = ":processed"
	suffixFailed    = ":failed"
)

// asynqServerLife is how long the record of a running server is kept after a heartbeat.
const asynqServerLife = 10 * time.Second

// asynqServerActive is the status of a server that takes tasks.
const asynqServerActive = "active"

// asynqServerKey is the key of the record of a running server.
func asynqServerKey(host string, pid int, id string) string {
	return fmt.Sprintf("asynq:servers:{%s:%d:%s}", host, pid, id)
}

func asynqKey(lane, suffix string) string { return "asynq:{" + lane + "}" + suffix }

// asynqTaskPrefix precedes a task's ID in the key of its hash. The hash has the fields msg (the
// encoded task), state and, while the task is pending, pending_since.
func asynqTaskPrefix(lane string) string { return asynqKey(lane, ":t:") }

// shape is the purpose of one of asynq's scripts, derived from its keys. The text of a script may
// change without harm, its keys may not.
type shape int

const (
	shapeOther shape = iota
	// shapeDequeue pops one task: pending, paused, active, lease.
	shapeDequeue
	// shapeAck ends an attempt: done, complete, retry, archive and requeue all remove a task from
	// active and lease, in that order. The first argument is the task's ID.
	shapeAck
	// shapeForward moves tasks that are due: scheduled or retry, pending. The first argument is the
	// time.
	shapeForward
	// shapeExpired lists the tasks whose leases have ended: lease.
	shapeExpired
)

func shapeOf(keys []string) shape {
	if len(keys) == 4 && strings.HasSuffix(keys[0], suffixPending) && strings.HasSuffix(keys[1], suffixPaused) &&
		strings.HasSuffix(keys[2], suffixActive) && strings.HasSuffix(keys[3], suffixLease) {
		return shapeDequeue
	}
	switch {
	case len(keys) == 1 && strings.HasSuffix(keys[0], suffixLease):
		return shapeExpired
	case len(keys) == 2 && strings.HasSuffix(keys[1], suffixPending) && (strings.HasSuffix(keys[0], suffixSchedule) || strings.HasSuffix(keys[0], suffixRetry)):
		return shapeForward
	}
	active := slices.IndexFunc(keys, func(k string) bool { return strings.HasSuffix(k, suffixActive) })
	if active >= 0 && active+1 < len(keys) && strings.HasSuffix(keys[active+1], suffixLease) {
		return shapeAck
	}
	return shapeOther
}

// isRequeue reports whether an ack returns the task to its lane because the server stops.
func isRequeue(keys []string) bool { return hasSuffix(keys, suffixPending) }

// endsTask reports whether an ack leaves nothing of the task that will run.
func endsTask(keys []string) bool {
	return !hasSuffix(keys, suffixPending) && !hasSuffix(keys, suffixRetry)
}

func hasSuffix(keys []string, suffix string) bool {
	return slices.ContainsFunc(keys, func(k string) bool { return strings.HasSuffix(k, suffix) })
}

// CodeOf returns the code of the text that asynq stored as a task's last error; no other part of
// that text may be shown. The router stores codes. asynq stores a few texts of its own, which
// CodeOf maps to codes. Any other text becomes codes.Hidden; an empty text stays empty.
func CodeOf(text string) codes.Code {
	switch text {
	case asynq.ErrLeaseExpired.Error():
		return codes.LeaseExpired
	case context.DeadlineExceeded.Error():
		return codes.Timeout
	case context.Canceled.Error():
		return codes.Canceled
	}
	return codes.Code(text).Shown()
}

// capturedCall is the data that asynq's client would have stored for one task.
type capturedCall struct {
	message []byte
	// score is the Unix second for which the task is scheduled; 0 means now.
	score int64
	// pendingSince is asynq's timestamp in nanoseconds; 0 if the task is scheduled.
	pendingSince int64
}

// readCall parses the arguments of asynq's enqueue or schedule script:
//
//	enqueue   KEYS task, pending    ARGV message, id, now in nanoseconds
//	schedule  KEYS task, scheduled  ARGV message, score, id
func readCall(id ID, keys []string, args []any) (capturedCall, error) {
	if len(keys) != 2 || len(args) != 3 || keys[0] != asynqTaskPrefix(id.Lane)+id.String() {
		return capturedCall{}, fmt.Errorf("queue: asynq's enqueue script has unknown arguments (%d keys, %d arguments)", len(keys), len(args))
	}
	message, ok := args[0].([]byte)
	switch {
	case ok && keys[1] == asynqKey(id.Lane, suffixPending) && args[1] == id.String():
		if now, isInt := args[2].(int64); isInt {
			return capturedCall{message: message, pendingSince: now}, nil
		}
	case ok && keys[1] == asynqKey(id.Lane, suffixSchedule) && args[2] == id.String():
		if score, isInt := args[1].(int64); isInt {
			return capturedCall{message: message, score: score}, nil
		}
	}
	return capturedCall{}, fmt.Errorf("queue: asynq's enqueue script has unknown arguments")
}
