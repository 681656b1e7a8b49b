package practice

import (
	"context"
	"errors"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// What is written to the cache is a step of its own in a trace; what is read is counted, because a span for each of a
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

// building is a step of its own: a view that was not ready costs half a dozen round trips.
func building(ctx context.Context, t tenant.ID, c *cache.Class, build func(context.Context) (rows int, err error)) error {
	ctx, span := telemetry.Start(ctx, telemetry.SpanView, telemetry.Tenant(t.String()), telemetry.View(c.Name))
	rows, err := build(ctx)
	span.Set(telemetry.Rows(rows))
	switch {
	case errors.Is(err, ErrCold):
		span.End("cold")
	case errors.Is(err, ErrAbsent):
		span.End("absent")
	default:
		span.End(failed(err))
	}
	return err
}

// failed is the code of a span: what went wrong with the cache is in the log of who handles it.
func failed(err error) string {
	if err != nil {
		return "cache"
	}
	return ""
}
