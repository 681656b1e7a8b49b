package flow

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// glancesAtOnce bounds one pipeline.
const glancesAtOnce = 500

// glance is what lies in one hash, to be looked at by somebody who decides nothing. Times are microseconds of Redis' clock.
type glance struct {
	now    int64 // when it was read
	fields map[string]string
}

func (g glance) number(field string) int64 {
	n, err := strconv.ParseInt(g.fields[field], 10, 64)
	if err != nil {
		return 0 // absent, or not ours
	}
	return n
}

// glances reads fields of many hashes. It needs no right to write, which Redis wants of whoever runs a script; in exchange,
// the time may be that of a moment later.
func glances(ctx context.Context, rdb redis.UniversalClient, keys []string, fields ...string) ([]glance, error) {
	out := make([]glance, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), glancesAtOnce)
		replies := make([]*redis.SliceCmd, n)
		var clock *redis.TimeCmd
		_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
			for i, key := range keys[:n] {
				replies[i] = pipe.HMGet(ctx, key, fields...)
			}
			clock = pipe.Time(ctx)
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, reply := range replies {
			values := reply.Val()
			if len(values) != len(fields) {
				return nil, errors.New("a hash was read in part")
			}
			g := glance{now: clock.Val().UnixMicro(), fields: map[string]string{}}
			for i, field := range fields {
				if s, ok := values[i].(string); ok {
					g.fields[field] = s
				}
			}
			out = append(out, g)
		}
		keys = keys[n:]
	}
	return out, nil
}
