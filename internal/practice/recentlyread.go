package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// recentFor is how long after a read a view counts as recently read: an open page reads it again
// well within that time.
const recentFor = 30 * time.Minute

// markRead marks a view as recently read. A cache that refuses writes can still be read.
func (s *Store) markRead(ctx context.Context, t tenant.ID, c *cache.Class, name phi.Ref) error {
	err := s.cache.MarkRead(ctx, cache.Key{Tenant: t, Class: c, ID: name}, recentFor)
	s.meet(ctx, err)
	if o := outage.Of(err); o != nil && o.Kind != outage.Unavailable {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mark %s as read: %w", c.Name, err)
	}
	return nil
}

// RecentlyRead returns the patients whose cards, and the providers whose days, were read within the
// last half hour. Only these views are worth building before they are requested.
func (s *Store) RecentlyRead(ctx context.Context, t tenant.ID, practice string, d civil.Date, patients []phi.Text, providers []string) (cards []phi.Text, days []string, err error) {
	n := s.Names(t)
	var keys []cache.Key
	for _, id := range patients {
		keys = append(keys, cache.Key{Tenant: t, Class: cardClass, ID: n.Card(practice, id)})
	}
	for _, id := range providers {
		keys = append(keys, cache.Key{Tenant: t, Class: providerClass, ID: n.ProviderDay(practice, id, d)})
	}
	marked, err := s.cache.RecentlyRead(ctx, keys)
	if err != nil {
		return nil, nil, fmt.Errorf("check read marks: %w", err)
	}
	for i, yes := range marked {
		switch {
		case yes && i < len(patients):
			cards = append(cards, patients[i])
		case yes:
			days = append(days, providers[i-len(patients)])
		}
	}
	return cards, days, nil
}
