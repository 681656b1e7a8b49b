package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// errLane is returned for an unknown lane.
var errLane = errors.New("queue: no such lane")

// PausedBy is who paused a lane, and why. Both are words of letters, digits and a few separators;
// anything else counts as empty.
type PausedBy struct{ By, Why string }

// pauseKey holds who paused a lane: at, by and why. It is valid for the pause that began at the
// second at, because other programs pause lanes too.
func pauseKey(lane string) string { return tenant.GlobalKey("q2", lane, "pause") }

// closedKey holds why workers take no tasks of a lane for now: code and since.
func closedKey(lane string) string { return tenant.GlobalKey("q2", lane, "closed") }

// closedLife is how long a lane counts as closed after a worker has reported it.
const closedLife = 5 * time.Second

// Pause keeps workers from taking tasks of a lane. Running tasks continue, and demands are
// accepted. It reports false if the lane was already paused.
func Pause(ctx context.Context, rdb redis.UniversalClient, lane string, who PausedBy) (bool, error) {
	if !KnownLane(lane) {
		return false, errLane
	}
	now := time.Now().Unix()
	err := rdb.SetArgs(ctx, asynqKey(lane, suffixPaused), now, redis.SetArgs{Mode: "NX"}).Err()
	switch {
	case errors.Is(err, redis.Nil):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("pause lane: %w", clean(err))
	}
	err = rdb.HSet(ctx, pauseKey(lane), "at", now, "by", word(who.By), "why", word(who.Why)).Err()
	if err != nil {
		return true, fmt.Errorf("record who paused the lane: %w", clean(err))
	}
	return true, nil
}

// Resume lets workers take tasks of a lane again. It reports false if the lane was not paused.
func Resume(ctx context.Context, rdb redis.UniversalClient, lane string) (bool, error) {
	if !KnownLane(lane) {
		return false, errLane
	}
	n, err := rdb.Del(ctx, asynqKey(lane, suffixPaused)).Result()
	if err != nil {
		return false, fmt.Errorf("resume lane: %w", clean(err))
	}
	return n > 0, nil
}

// ReportClosed states that this worker takes no tasks of some lanes for now, and why. A report is
// valid for five seconds.
func ReportClosed(ctx context.Context, rdb redis.UniversalClient, lanes map[string]codes.Code) error {
	pipe := rdb.Pipeline()
	now := time.Now().UnixMicro()
	for lane, code := range lanes {
		key := closedKey(lane)
		pipe.HSetNX(ctx, key, "since", now)
		pipe.HSet(ctx, key, "code", string(code))
		pipe.PExpire(ctx, key, closedLife)
	}
	if pipe.Len() == 0 {
		return nil
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("report closed lanes: %w", clean(err))
	}
	return nil
}

// requestHindrances asks why workers take no tasks of a lane.
func requestHindrances(ctx context.Context, pipe redis.Pipeliner, lane string) hindrances {
	return hindrances{
		paused: pipe.Get(ctx, asynqKey(lane, suffixPaused)), pause: pipe.HMGet(ctx, pauseKey(lane), "at", "by", "why"),
		closed: pipe.HMGet(ctx, closedKey(lane), "code", "since"),
	}
}

// hindrances are the pending replies about one lane.
type hindrances struct {
	paused        *redis.StringCmd
	pause, closed *redis.SliceCmd
}

// read stores what the replies say.
func (h hindrances) read(p *Position) {
	if h.paused.Err() == nil {
		at, _ := strconv.ParseInt(h.paused.Val(), 10, 64)
		p.PausedAt = time.Unix(at, 0).UTC()
		if v := texts(h.pause, 3); v[0] == h.paused.Val() {
			p.PausedBy = PausedBy{By: word(v[1]), Why: word(v[2])}
		}
	}
	if v := texts(h.closed, 2); v[0] != "" {
		p.Closed = codes.Code(v[0]).Shown()
		if since, err := strconv.ParseInt(v[1], 10, 64); err == nil {
			p.ClosedSince = time.UnixMicro(since).UTC()
		}
	}
}

// texts returns the n values of a reply; those that are missing are empty.
func texts(cmd *redis.SliceCmd, n int) []string {
	out := make([]string, n)
	for i, v := range cmd.Val() {
		if text, ok := v.(string); ok && i < n {
			out[i] = text
		}
	}
	return out
}
