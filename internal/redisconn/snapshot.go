package redisconn

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// snapshotBatch is how many hashes one pipeline reads.
const snapshotBatch = 500

// Snapshot holds some fields of one hash.
type Snapshot struct {
	// Now is the server's clock after the hash was read.
	Now    time.Time
	fields map[string]string
}

// Text returns a field; empty when the hash does not have it.
func (s Snapshot) Text(field string) string { return s.fields[field] }

// Int returns a field; 0 when the hash does not have it or it is not an integer.
func (s Snapshot) Int(field string) int64 {
	n, err := strconv.ParseInt(s.fields[field], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Until returns how far a field, in microseconds of the server's clock, is in the future; negative
// when it has passed.
func (s Snapshot) Until(field string) time.Duration {
	return time.Duration(s.Int(field)-s.Now.UnixMicro()) * time.Microsecond
}

// ReadSnapshots reads the given fields of many hashes, in the order of their keys. It runs no
// script, because Redis demands the right to write for that. In return, Now may be slightly later
// than the moment of the read.
func ReadSnapshots(ctx context.Context, rdb redis.UniversalClient, keys []string, fields ...string) ([]Snapshot, error) {
	out := make([]Snapshot, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), snapshotBatch)
		batch, err := readBatch(ctx, rdb, keys[:n], fields)
		if err != nil {
			return nil, err
		}
		out = append(out, batch...)
		keys = keys[n:]
	}
	return out, nil
}

func readBatch(ctx context.Context, rdb redis.UniversalClient, keys, fields []string) ([]Snapshot, error) {
	replies := make([]*redis.SliceCmd, len(keys))
	var clock *redis.TimeCmd
	_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range keys {
			replies[i] = pipe.HMGet(ctx, key, fields...)
		}
		clock = pipe.Time(ctx)
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Snapshot, len(keys))
	for i, reply := range replies {
		values := reply.Val()
		if len(values) != len(fields) {
			return nil, errors.New("redis returned a different number of fields")
		}
		out[i] = Snapshot{Now: clock.Val(), fields: map[string]string{}}
		for j, field := range fields {
			if s, ok := values[j].(string); ok {
				out[i].fields[field] = s
			}
		}
	}
	return out, nil
}
