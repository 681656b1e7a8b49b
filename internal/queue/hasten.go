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
	for left := 0; left < maxHastened; {
		reply, err := postponedScript.on(ctx, rdb, lane, nil, seconds(within), left, placesBatch).StringSlice()
		switch {
		case err != nil:
			return fmt.Errorf("hasten tasks: %w", clean(err))
		case len(reply)%2 != 0:
			return errors.New("hasten tasks: unknown reply")
		case len(reply) == 0:
			return nil
		}
		var args []any
		for i := 0; i < len(reply); i += 2 {
			if _, code := readWaiting([]byte(reply[i+1])); again(code) {
				args = append(args, reply[i], StateRetry)
			}
		}
		left += (len(reply) - len(args)) / 2 // what is moved is not listed again
		if len(args) == 0 {
			continue
		}
		if err := forwardScript.on(ctx, rdb, lane, nil, args...).Err(); err != nil {
			return fmt.Errorf("hasten tasks: %w", clean(err))
		}
	}
	return nil
}
