package redisconn

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// EachServer calls f for every master behind rdb, one after the other, with the server's address,
// which holds no credentials. It returns the first error unchanged.
func EachServer(ctx context.Context, rdb redis.UniversalClient, f func(ctx context.Context, address string, c *redis.Client) error) error {
	switch c := rdb.(type) {
	case *redis.Client:
		return f(ctx, c.Options().Addr, c)
	case *redis.ClusterClient:
		var one sync.Mutex // ForEachMaster runs concurrently
		return c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return f(ctx, c.Options().Addr, c)
		})
	}
	return fmt.Errorf("list servers: unknown type of client: %T", rdb)
}

// Info returns the fields of the given sections of a server's INFO. A section that the server
// refuses or does not know has none.
func Info(ctx context.Context, c redis.Cmdable, sections ...string) (map[string]string, error) {
	fields := map[string]string{}
	for _, section := range sections {
		text, err := c.Info(ctx, section).Result()
		if IsReply(err) {
			continue
		}
		if err != nil {
			return nil, Clean(err)
		}
		for line := range strings.Lines(text) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				fields[name] = value
			}
		}
	}
	return fields, nil
}
