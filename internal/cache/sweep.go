package cache

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// sweepStep is the number of fields that one step checks.
const sweepStep = 256

// Sweep removes the versions of one tenant that no entry can need any more, those older than the
// longest life of an entry plus the greatest age of a stamp, and returns their number. It scans the
// tenant's hash once in small steps and stops when the context ends. It may run at any time and in
// several processes at once.
func (c *Cache) Sweep(ctx context.Context, id tenant.ID) (int, error) {
	if _, err := tenant.Parse(string(id)); err != nil {
		return 0, fmt.Errorf("cache: %w", err)
	}
	horizon := uint64((MaxHard + maxFillAge).Microseconds()) // a constant
	return c.sweep(ctx, id, horizon)
}

func (c *Cache) sweep(ctx context.Context, id tenant.ID, horizon uint64) (int, error) {
	removed := 0
	for cursor := uint64(0); ; {
		fields, next, err := c.rdb.HScan(ctx, metaKey(id), cursor, "", sweepStep).Result()
		if err != nil {
			return removed, failed("sweep versions", err)
		}
		var tags []any
		for i := 0; i+1 < len(fields); i += 2 {
			if len(fields[i]) == len(Tag{}) {
				tags = append(tags, fields[i])
			}
		}
		// A server may return more than requested: small hashes come whole.
		for len(tags) > 0 {
			n := min(len(tags), sweepStep)
			args := append([]any{horizon}, tags[:n]...)
			gone, err := sweepScript.Run(ctx, c.rdb, []string{metaKey(id)}, args...).Int()
			if err != nil {
				return removed, failed("sweep versions", err)
			}
			removed += gone
			tags = tags[n:]
		}
		if cursor = next; cursor == 0 {
			return removed, nil
		}
	}
}
