package redisconn

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// EachServer calls f for every master behind rdb, one after the other, with
// the server's address, which holds no credentials. It ends with the first
// error, as it is.
func EachServer(ctx context.Context, rdb redis.UniversalClient, f func(ctx context.Context, address string, c *redis.Client) error) error {
	switch c := rdb.(type) {
	case *redis.Client:
		return f(ctx, c.Options().Addr, c)
	case *redis.ClusterClient:
		var one sync.Mutex // the client asks its masters side by side
		return c.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			one.Lock()
			defer one.Unlock()
			return f(ctx, c.Options().Addr, c)
		})
	}
	return fmt.Errorf("look at servers: a client of an unknown type: %T", rdb)
}

// Info returns the fields of some sections of a server's INFO. Sections that
// the server refuses, or does not know, give none.
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
