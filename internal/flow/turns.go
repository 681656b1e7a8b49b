package flow

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Turn is a tenant's place among the tenants whose background callers wait for slots of the fleet.
type Turn string

// The turns.
const (
	NoTurn      Turn = ""        // none of its callers had to wait
	TurnNext    Turn = "next"    // no waiting tenant has used less: free slots are its own
	TurnWaiting Turn = "waiting" // others have used less
	TurnHeld    Turn = "held"    // it has used so much more that it gets no slot while others wait
)

// maxWaiting limits how many waiting tenants are read.
const maxWaiting = 1000

// Turns reads the turns of tenants, in their order. It changes nothing.
func (f *Flow) Turns(ctx context.Context, ids ...tenant.ID) ([]Turn, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	members := make([]string, len(ids))
	for i, id := range ids {
		members[i] = id.String()
	}
	keys := fleetKeys()
	var virtual *redis.SliceCmd
	var reached *redis.FloatSliceCmd
	var waiting *redis.ZSliceCmd
	var clock *redis.TimeCmd
	_, err := f.options.Redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		virtual = pipe.HMGet(ctx, keys[0], "v")
		reached = pipe.ZMScore(ctx, keys[1], members...)
		waiting = pipe.ZRevRangeWithScores(ctx, keys[2], 0, maxWaiting-1)
		clock = pipe.Time(ctx)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read turns: %w", redisconn.Clean(err))
	}
	var v float64
	_, _ = fmt.Sscan(fmt.Sprint(virtual.Val()...), &v) // 0 if no tenant has used anything
	waits := map[string]bool{}
	for _, z := range waiting.Val() {
		if name, ok := z.Member.(string); ok && z.Score > float64(clock.Val().UnixMicro()) {
			waits[name] = true
		}
	}
	out := make([]Turn, len(ids))
	for i, name := range members {
		others := len(waits)
		if waits[name] {
			others--
		}
		out[i] = turnOf(time.Duration(min(max(reached.Val()[i]-v, 0), float64(mostAhead.Microseconds())))*time.Microsecond, waits[name], others)
	}
	return out, nil
}

// turnOf returns the turn of a tenant that is ahead of the waiting tenant with the least use.
func turnOf(ahead time.Duration, waits bool, others int) Turn {
	switch {
	case ahead > tolerance && others > 0:
		return TurnHeld
	case !waits:
		return NoTurn
	case ahead > 0:
		return TurnWaiting
	}
	return TurnNext
}
