package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ReadAt returns a time, by the cache's clock, after which the vendor was asked for each of the
// records, of which there are at most cache.MaxPeek. The zero Time means that one of them is not
// known, or that it may have changed since it was read.
func (s *Store) ReadAt(ctx context.Context, t tenant.ID, records ...Record) (time.Time, error) {
	keys := make([]cache.Key, len(records))
	for i, r := range records {
		keys[i] = s.scope(t, r.Practice).documentKey(r)
	}
	entries, err := s.cache.PeekMany(ctx, keys)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the age of records: %w", err)
	}
	var oldest time.Time
	for _, e := range entries {
		if e.State != cache.Fresh && e.State != cache.Soft {
			return time.Time{}, nil
		}
		// A changed record has the stamp of its change, which was drawn after the answer.
		if at := e.AsOf.Add(-e.Cost); oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, nil
}
