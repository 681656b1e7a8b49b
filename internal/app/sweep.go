package app

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

// sweepEvery is how often a scheduler removes tag versions that nothing cached can depend on any more. They cost some
// twenty bytes each; a week of them would be noticed, an hour is not.
const sweepEvery = time.Hour

// sweep removes old tag versions of every tenant, at a moment of its own in each hour, until ctx ends. Schedulers that do
// it beside each other do no harm. A failure is logged, and the next round makes up for it.
func (f *foundation) sweep(ctx context.Context) error {
	wait := time.NewTimer(rand.N(sweepEvery))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if err := sweepOnce(ctx, f.ledger, f.cache); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "tag versions cannot be swept", "error", err)
		}
		wait.Reset(sweepEvery)
	}
}

func sweepOnce(ctx context.Context, l *ledger.Ledger, c *cache.Cache) error {
	ctx, cancel := context.WithTimeout(ctx, sweepEvery/10)
	defer cancel()
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
