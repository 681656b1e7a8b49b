// Package sweep removes what is no longer needed: tag versions that no cached value depends on,
// ticks that were sent long ago, and alerts of days that are no longer read.
package sweep

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

const (
	// interval is the time between two sweeps. A week of garbage would be noticed, an hour's is
	// not.
	interval = time.Hour
	// limit bounds one sweep.
	limit = 6 * time.Minute
	// keepTicks is far longer than operators look back. Schedulers read only the newest tick of
	// each schedule, which is kept.
	keepTicks = 7 * 24 * time.Hour
	// keepAlerts is how long the alert of a day stays after it was last seen. While its day is
	// read, it is seen every hour.
	keepAlerts = 3 * 24 * time.Hour
)

// Sweeper sweeps every tenant of a deployment. All fields are required.
type Sweeper struct {
	Ledger *ledger.Ledger
	Cache  *cache.Cache
	Now    func() time.Time // the calendar
	Logger *slog.Logger
}

// Run sweeps once an hour, at a random minute, until ctx ends. Several schedulers may do so at the
// same time. A failure is logged, and the next sweep removes what is left.
func (s *Sweeper) Run(ctx context.Context) error {
	wait := time.NewTimer(rand.N(interval))
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "sweep incomplete", "error", err)
		}
		wait.Reset(interval)
	}
}

// Sweep sweeps once.
func (s *Sweeper) Sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, ticks := s.Ledger.DeleteTicks(ctx, s.Now().Add(-keepTicks))
	_, alerts := s.Ledger.DeleteAlerts(ctx, time.Now().Add(-keepAlerts))
	return errors.Join(ticks, alerts, s.sweepTags(ctx))
}

func (s *Sweeper) sweepTags(ctx context.Context) error {
	tenants, err := s.Ledger.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if _, err := s.Cache.Sweep(ctx, t.ID); err != nil {
			return err
		}
	}
	return nil
}
