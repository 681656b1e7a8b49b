package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

var postponedScript = newScript("postponed")

// maxHastened bounds the tasks that Hasten reads.
const maxHastened = 20_000

// Hasten makes tasks of a lane that were postponed or failed the next of the lane. It moves those
// that would run again within the given time anyway, and for whose codes again is true.
func Hasten(ctx context.Context, rdb redis.UniversalClient, lane string, within time.Duration, again func(codes.Code) bool) error {
	var found []WaitingTask
	for read := 0; read < maxHastened; {
		reply, err := postponedScript.on(ctx, rdb, lane, nil, seconds(within), read, placesBatch).StringSlice()
		if err != nil {
			return fmt.Errorf("list postponed tasks: %w", clean(err))
		}
		if len(reply)%2 != 0 {
			return errors.New("list postponed tasks: unknown reply")
		}
		for i := 0; i < len(reply); i += 2 {
			_, code := readWaiting([]byte(reply[i+1]))
			found = append(found, WaitingTask{ID: reply[i], Code: code, Place: StateRetry})
		}
		if len(reply) < 2*placesBatch {
			break
		}
		read += placesBatch
	}
	return NewWaitingList(rdb, lane, "").Forward(ctx, found, again)
}
