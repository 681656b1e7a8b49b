package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

var (
	waitingScript = newScript("waiting")
	forwardScript = newScript("forward")
)

// WaitingTask is a task that is to run now, or that runs again because it failed or was postponed.
type WaitingTask struct {
	// ID is the task's ID as asynq stores it.
	ID string
	// Tenant is its tenant's alias, or empty if it has none.
	Tenant string
	// Code is why its last attempt ended without a result. Empty if no attempt did.
	Code codes.Code

	place string
}

// Inherits reports whether the task may wait in the stead of an equal one that failed.
func (t WaitingTask) Inherits() bool { return t.place == StateRetry }

// Waiting returns at most limit tasks of one kind that a lane has at one instant: those that run,
// that wait for a worker, and that were postponed or failed. A task that was demanded for a later
// time is not among them.
func Waiting(ctx context.Context, rdb redis.UniversalClient, lane, kind string, limit int) ([]WaitingTask, error) {
	reply, err := waitingScript.on(ctx, rdb, lane, nil, appendText(nil, fieldType, kind), limit).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("list waiting tasks: %w", clean(err))
	}
	if len(reply)%3 != 0 {
		return nil, errors.New("list waiting tasks: unknown reply")
	}
	out := make([]WaitingTask, 0, len(reply)/3)
	for i := 0; i < len(reply); i += 3 {
		t := WaitingTask{ID: reply[i], place: reply[i+1]}
		t.Tenant, t.Code = readWaiting([]byte(reply[i+2]))
		out = append(out, t)
	}
	return out, nil
}

// readWaiting returns the tenant and the last error of an encoded task.
func readWaiting(message []byte) (owner string, code codes.Code) {
	for len(message) > 0 {
		field, value, rest, ok := nextField(message)
		if !ok {
			return owner, code
		}
		message = rest
		switch field {
		case fieldError:
			code = CodeOf(string(value))
		case fieldHeaders:
			if name, text := readHeader(value); name == HeaderTenant {
				owner = alias(text)
			}
		}
	}
	return owner, code
}

// readHeader returns the name and the text of an entry of the map of headers.
func readHeader(entry []byte) (name, text string) {
	for len(entry) > 0 {
		field, value, rest, ok := nextField(entry)
		if !ok {
			return "", ""
		}
		entry = rest
		switch field {
		case 1:
			name = string(value)
		case 2:
			text = string(value)
		}
	}
	return name, text
}

// Forward makes tasks that Waiting returned the next of their lane, if they still wait there. Of
// those that were postponed or failed it moves the ones for whose codes again is true.
func Forward(ctx context.Context, rdb redis.UniversalClient, lane string, tasks []WaitingTask, again func(codes.Code) bool) error {
	var args []any
	for _, t := range tasks {
		if t.place == StatePending || t.place == StateRetry && again(t.Code) {
			args = append(args, t.ID, t.place)
		}
	}
	if len(args) == 0 {
		return nil
	}
	if err := forwardScript.on(ctx, rdb, lane, nil, args...).Err(); err != nil {
		return fmt.Errorf("bring tasks forward: %w", clean(err))
	}
	return nil
}
