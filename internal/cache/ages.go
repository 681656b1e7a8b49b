package cache

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ages returns, for each entry, how long ago its load began by the server's clock, and a negative
// duration for an entry that does not exist. It reads headers only: an age does not mean that the
// entry is valid or that it opens. It accepts at most MaxPeek keys and takes one round trip.
func (c *Cache) Ages(ctx context.Context, keys []Key) ([]time.Duration, error) {
	if err := checkLimit("keys at once", len(keys), MaxPeek); err != nil {
		return nil, err
	}
	heads := make([]*redis.StringCmd, len(keys))
	var clock *redis.TimeCmd
	_, _ = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		for i, k := range keys {
			heads[i] = p.GetRange(ctx, k.entry(), 0, headerFixed+MaxTags*8-1)
		}
		clock = p.Time(ctx)
		return nil
	})
	out := make([]time.Duration, len(keys))
	for i, head := range heads {
		if head.Err() != nil && !errors.Is(head.Err(), redis.Nil) {
			return nil, failed("read cache", head.Err())
		}
		out[i] = -1
		if clock.Err() != nil {
			return nil, failed("read cache", clock.Err())
		}
		if h, err := parseHeader(head.Val()); err == nil {
			now := uint64(clock.Val().UnixMicro()) // after 1970
			out[i] = micros(now - min(now, h.stamp))
		}
	}
	return out, nil
}
