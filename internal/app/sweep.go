package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

const (
	// sweepEvery is how often a scheduler removes what nobody needs any more: tag versions that nothing cached depends on,
	// and ticks that were sent long ago. A week of either would be noticed, an hour is not.
	sweepEvery = time.Hour
	// ticksKept is far more than operators look back. Schedulers look at the newest alone, which stays.
	ticksKept = 7 * 24 * time.Hour
)

// sweep cleans up at a moment of its own in each hour, until ctx ends. Schedulers that do it beside each other do no
// harm. A failure is logged, and the next round makes up for it.
func (s *Scheduler) sweep(ctx context.Context) error {
	wait := time.NewTimer(rand.N(sweepEvery))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if err := sweepOnce(ctx, s.base.ledger, s.base.cache, s.clock.Now()); err != nil && ctx.Err() == nil {
			s.base.log.WarnContext(ctx, "not everything that is old could be removed", "error", err)
		}
		wait.Reset(sweepEvery)
	}
}

func sweepOnce(ctx context.Context, l *ledger.Ledger, c *cache.Cache, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery/10)
	defer cancel()
	_, err := l.DeleteTicks(ctx, now.Add(-ticksKept))
	return errors.Join(err, sweepTags(ctx, l, c))
}

func sweepTags(ctx context.Context, l *ledger.Ledger, c *cache.Cache) error {
	tenants, err := l.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if _, err := c.Sweep(ctx, t.ID); err != nil {
			return err
		}
	}
	return nil
}
