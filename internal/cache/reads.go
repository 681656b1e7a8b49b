package cache

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// MarkRead records for the given time that a key is being read, whether or not it holds an entry.
// Only RecentlyRead uses the mark: code that builds entries before they are requested skips those
// without one.
func (c *Cache) MarkRead(ctx context.Context, k Key, ttl time.Duration) error {
	if err := k.check(); err != nil {
		return err
	}
	if ttl < time.Millisecond {
		return errors.New("cache: read mark without a duration")
	}
	if err := c.rdb.Set(ctx, k.redisKey("w"), "", ttl).Err(); err != nil {
		return failed("mark cache entry as read", err)
	}
	return nil
}

// RecentlyRead reports for each key, in order, whether it has a read mark.
func (c *Cache) RecentlyRead(ctx context.Context, keys []Key) ([]bool, error) {
	out := make([]bool, 0, len(keys))
	for part := range slices.Chunk(keys, MaxPeek) {
		marks := make([]*redis.IntCmd, len(part))
		for _, k := range part {
			if err := k.check(); err != nil {
				return nil, err
			}
		}
		_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, k := range part {
				marks[i] = p.Exists(ctx, k.redisKey("w"))
			}
			return nil
		})
		if err != nil {
			return nil, failed("check read marks", err)
		}
		for _, m := range marks {
			out = append(out, m.Val() > 0)
		}
	}
	return out, nil
}
