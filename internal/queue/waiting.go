package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

var (
	waitingScript = newScript("waiting")
	placesScript  = newScript("places")
	forwardScript = newScript("forward")
)

const (
	// maxLine is how long a lane may be that is listed: its IDs are one reply of Redis.
	maxLine = 20_000
	// placesBatch and forwardBatch bound what one script reads or moves, so that no other client
	// waits long. Each move searches the lane.
	placesBatch  = 200
	forwardBatch = 50
)

// WaitingTask is a task that is to run now, or that runs again because it failed or was postponed.
type WaitingTask struct {
	// ID is the task's ID as asynq stores it.
	ID string
	// Tenant is its tenant's alias, or empty if it has none.
	Tenant string
	// Code is why its last attempt ended without a result. A task that waits in the stead of an
	// equal one that failed has that one's code. Empty if no attempt did.
	Code codes.Code
	// Place is where it waits: StatePending, StateRetry, or StateScheduled for the end of an equal
	// one. StateActive means that it runs.
	Place string
}

// ComesForward reports whether Forward moves the task.
func (t WaitingTask) ComesForward(again func(codes.Code) bool) bool {
	return t.Place == StatePending || t.Place == StateRetry && again(t.Code)
}

// WaitingList lists the tasks of one kind in one lane again and again. It remembers which tasks are
// of another kind, so that a repeated list costs little. It is not safe for concurrent use.
type WaitingList struct {
	rdb    redis.UniversalClient
	lane   string
	kind   []byte          // with which its messages begin
	others map[string]bool // tasks of other kinds in the lane, when it was last listed
}

// NewWaitingList returns a list that has read nothing yet.
func NewWaitingList(rdb redis.UniversalClient, lane, kind string) *WaitingList {
	return &WaitingList{rdb: rdb, lane: lane, kind: appendText(nil, fieldType, kind)}
}

// Read returns at most limit tasks: those that run, that wait for a worker, and that were postponed
// or failed. No task is missed because it moves meanwhile; one that has just left may be among
// them. A task that was demanded for a later time is not. complete is false if there are more, or
// if the lane is too long to be listed.
func (w *WaitingList) Read(ctx context.Context, limit int) (found []WaitingTask, complete bool, err error) {
	ids, err := waitingScript.on(ctx, w.rdb, w.lane, nil, maxLine).StringSlice()
	switch {
	case errors.Is(err, redis.Nil):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("list waiting tasks: %w", clean(err))
	}
	others := make(map[string]bool, len(ids))
	var open []string
	for _, id := range ids {
		if w.others[id] {
			others[id] = true
		} else {
			open = append(open, id)
		}
	}
	w.others = others
	for part := range slices.Chunk(open, placesBatch) {
		if found, err = w.locate(ctx, found, part); err != nil {
			return nil, false, fmt.Errorf("list waiting tasks: %w", err)
		}
		if len(found) > limit {
			return found[:limit], false, nil
		}
	}
	return found, true, nil
}

// locate adds the tasks of the kind that still wait, and remembers those of other kinds.
func (w *WaitingList) locate(ctx context.Context, found []WaitingTask, ids []string) ([]WaitingTask, error) {
	args := make([]any, 0, 1+len(ids))
	args = append(args, w.kind)
	for _, id := range ids {
		args = append(args, id)
	}
	reply, err := placesScript.on(ctx, w.rdb, w.lane, nil, args...).StringSlice()
	if err != nil {
		return nil, clean(err)
	}
	if len(reply)%3 != 0 {
		return nil, errors.New("unknown reply")
	}
	for _, id := range ids {
		w.others[id] = true
	}
	for i := 0; i < len(reply); i += 3 {
		delete(w.others, reply[i])
		if reply[i+1] == "" {
			continue
		}
		t := WaitingTask{ID: reply[i], Place: reply[i+1]}
		t.Tenant, t.Code = readWaiting([]byte(reply[i+2]))
		found = append(found, t)
	}
	return found, nil
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

// Forward makes tasks that Read returned the next of their lane, if they still wait there. Of those
// that were postponed or failed it moves the ones for whose codes again is true.
func (w *WaitingList) Forward(ctx context.Context, tasks []WaitingTask, again func(codes.Code) bool) error {
	for _, part := range slices.Backward(slices.Collect(slices.Chunk(tasks, forwardBatch))) {
		var args []any
		for _, t := range part {
			if t.ComesForward(again) {
				args = append(args, t.ID, t.Place)
			}
		}
		if len(args) == 0 {
			continue
		}
		if err := forwardScript.on(ctx, w.rdb, w.lane, nil, args...).Err(); err != nil {
			return fmt.Errorf("bring tasks forward: %w", clean(err))
		}
	}
	return nil
}
