package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// MarkRead remembers for a time that somebody reads what the key names, whether or not it is there. It tells nobody anything
// but Wanted, and nothing rests on it: who builds entries before they are asked for learns which are worth it.
func (c *Cache) MarkRead(ctx context.Context, k Key, keep time.Duration) error {
	if err := k.check(); err != nil {
		return err
	}
	if keep < time.Millisecond {
		return errors.New("cache: wanted for no time")
	}
	if err := c.rdb.Set(ctx, k.redisKey("w"), "", keep).Err(); err != nil {
		return fmt.Errorf("want cache entry: %w", err)
	}
	return nil
}

// RecentlyRead reports of each key, in their order, whether somebody wants it.
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
			return nil, fmt.Errorf("read wanted entries: %w", err)
		}
		for _, m := range marks {
			out = append(out, m.Val() > 0)
		}
	}
	return out, nil
}
