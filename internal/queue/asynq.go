package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// This file is the one place that knows asynq v0.26.0 beyond its API. Every
// line is held by a test that runs asynq itself; see asynq_test.go.

// Names of asynq's keys. Those of a queue begin with asynq:{queue}: so that a
// queue lies on one slot.
const (
	asynqQueues    = "asynq:queues"
	suffixPending  = ":pending"
	suffixPaused   = ":paused" // holds the Unix second since when; absent while the queue runs
	suffixActive   = ":active"
	suffixLease    = ":lease"
	suffixRetry    = ":retry"
	suffixSchedule = ":scheduled"
	suffixArchived = ":archived"
	// Counters of attempts that ended: all days together, and one for each day
	// (UTC, 2006-01-02) that lives for 90 days.
	suffixProcessed = ":processed"
	suffixFailed    = ":failed"
)

func asynqKey(lane, suffix string) string { return "asynq:{" + lane + "}" + suffix }

// asynqTaskPrefix precedes a task's ID in the key of its hash. The hash has
// the fields msg (the encoded task), state and, while pending, pending_since.
func asynqTaskPrefix(lane string) string { return asynqKey(lane, ":t:") }

// shape is what a script of asynq's does, told by the keys it is given. The
// text of a script may change without harm, its keys may not.
type shape int

const (
	shapeOther shape = iota
	// shapeDequeue pops one task: pending, paused, active, lease.
	shapeDequeue
	// shapeAck ends an attempt: done, complete, retry, archive and requeue
	// all take a task out of active and lease, in that order.
	shapeAck
)

func shapeOf(keys []string) shape {
	if len(keys) == 4 && strings.HasSuffix(keys[0], suffixPending) && strings.HasSuffix(keys[1], suffixPaused) &&
		strings.HasSuffix(keys[2], suffixActive) && strings.HasSuffix(keys[3], suffixLease) {
		return shapeDequeue
	}
	active := slices.IndexFunc(keys, func(k string) bool { return strings.HasSuffix(k, suffixActive) })
	if active >= 0 && active+1 < len(keys) && strings.HasSuffix(keys[active+1], suffixLease) {
		return shapeAck
	}
	return shapeOther
}

// notFound is what an ack answers when the task is not active any more.
const notFound = "NOT FOUND"

// CodeOf returns the code for the text that asynq stored as a task's last error, which is the one
// thing that the rest of the program may see of it. Our router makes that text a code. asynq itself
// stores a few texts of its own, which have codes here. Any other text becomes codes.Hidden; an
// empty one stays empty.
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

// capturedCall is what asynq's client was about to store for one task.
type capturedCall struct {
	message []byte
	// score is the Unix second the task is scheduled for, 0 for at once.
	score int64
	// pendingSince is asynq's own time stamp in nanoseconds, 0 if scheduled.
	pendingSince int64
}

// readCall takes the arguments of asynq's enqueue or schedule script apart:
//
//	enqueue   KEYS task, pending    ARGV message, id, now in nanoseconds
//	schedule  KEYS task, scheduled  ARGV message, score, id
func readCall(id ID, keys []string, args []any) (capturedCall, error) {
	if len(keys) != 2 || len(args) != 3 || keys[0] != asynqTaskPrefix(id.Lane)+id.String() {
		return capturedCall{}, fmt.Errorf("queue: asynq enqueues in an unknown way (%d keys, %d arguments)", len(keys), len(args))
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
	return capturedCall{}, fmt.Errorf("queue: asynq enqueues with unknown arguments")
}
