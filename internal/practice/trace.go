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

// build is assemble as a step of its own: a board that was not ready costs a dozen round trips.
func (s *Store) build(ctx context.Context, t tenant.ID, practice string, d Date) (BoardRead, error) {
	ctx, span := telemetry.Start(ctx, telemetry.SpanView, telemetry.Tenant(t.String()), telemetry.View(boardClass.Name))
	r, err := s.assemble(ctx, t, practice, d)
	span.Set(telemetry.Rows(len(r.Board.Rows)))
	if errors.Is(err, ErrCold) {
		span.End("cold")
	} else {
		span.End(failed(err))
	}
	return r, err
}

// failed is the code of a span: what went wrong with the cache is in the log of who handles it.
func failed(err error) string {
	if err != nil {
		return "cache"
	}
	return ""
}
