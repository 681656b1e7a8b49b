package practice

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Writes to the cache and builds of views have spans of their own. Reads are only counted, because a span for each of a
// board's reads would cost more than the read.

func (s *Store) invalidate(ctx context.Context, t tenant.ID, c cache.Change) (cache.Grant, error) {
	ctx, span := telemetry.Start(ctx, telemetry.SpanInvalidate, telemetry.Tenant(t.String()), telemetry.Changed(len(c.Tags)))
	grant, err := s.cache.Invalidate(ctx, t, c)
	span.End(failed(err))
	return grant, err
}

func (s *Store) fillPart(ctx context.Context, grant cache.Grant, items []cache.Item) ([]cache.Result, error) {
	ctx, span := telemetry.Start(ctx, telemetry.SpanCacheFill, telemetry.Rows(len(items)))
	results, err := s.cache.FillMany(ctx, grant, items)
	span.End(failed(err))
	return results, err
}

// failed is the code of a span. The caller that handles the error logs the cause.
func failed(err error) string {
	if err != nil {
		return "cache"
	}
	return ""
}
