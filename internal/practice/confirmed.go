package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Roster identifies the roster of one practice's day.
type Roster struct {
	Tenant   tenant.ID
	Practice string
	Date     civil.Date
}

// Confirmed returns how long ago the vendor last confirmed each day's roster, and a negative
// duration for a day without a roster. It decrypts nothing. At most cache.MaxPeek days.
func (s *Store) Confirmed(ctx context.Context, days []Roster) ([]time.Duration, error) {
	keys := make([]cache.Key, len(days))
	for i, d := range days {
		keys[i] = cache.Key{Tenant: d.Tenant, Class: dayClass, ID: s.Names(d.Tenant).Day(d.Practice, d.Date)}
	}
	ages, err := s.cache.Ages(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read confirmations: %w", err)
	}
	return ages, nil
}
