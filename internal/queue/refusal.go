package queue

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/refuse.lua
var refuseSource string

var refuseScript = redis.NewScript(refuseSource)

// RefusedFor returns the time since its first call for a task of a lane, by Redis' clock: zero for
// the first call. The task itself stores it, so it lasts as long as the task.
func (r *Runs) RefusedFor(ctx context.Context, lane string, id ID) (time.Duration, error) {
	seconds, err := refuseScript.Run(ctx, r.rdb, []string{asynqTaskPrefix(lane) + id.String()}).Int64()
	if err != nil {
		return 0, fmt.Errorf("refuse task: %w", clean(err))
	}
	return time.Duration(seconds) * time.Second, nil
}
