package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ages returns how long ago, by the server's clock, the load of each entry began, and a negative time for an entry that
// is not there. Nothing is opened and nothing is counted as a read, so it tells only how old the entries say they are:
// not whether they are valid, nor whether they open. At most MaxPeek keys, in one round trip.
func (c *Cache) Ages(ctx context.Context, keys []Key) ([]time.Duration, error) {
	if err := checkLimit("keys at once", len(keys), MaxPeek); err != nil {
		return nil, err
	}
	heads := make([]*redis.StringCmd, len(keys))
	var clock *redis.TimeCmd
	_, _ = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command is asked for its own error
		for i, k := range keys {
			heads[i] = p.GetRange(ctx, k.entry(), 0, headerFixed+MaxTags*8-1)
		}
		clock = p.Time(ctx)
		return nil
	})
	out := make([]time.Duration, len(keys))
	for i, head := range heads {
		if head.Err() != nil && !errors.Is(head.Err(), redis.Nil) {
			return nil, fmt.Errorf("read cache: %w", head.Err())
		}
		out[i] = -1
		if clock.Err() != nil {
			return nil, fmt.Errorf("read cache: %w", clock.Err())
		}
		if h, err := parseHeader(head.Val()); err == nil {
			now := uint64(clock.Val().UnixMicro()) // after 1970
			out[i] = micros(now - min(now, h.stamp))
		}
	}
	return out, nil
}
