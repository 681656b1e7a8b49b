package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const nounPause Noun = "pause"

// Pause records that something of a practice must not be done for some time, in any worker. The
// loss of the record costs vendor calls and nothing else.
func (s *Store) Pause(ctx context.Context, t tenant.ID, practice, what string, d time.Duration) error {
	if err := s.cache.MarkRead(ctx, s.pauseKey(t, practice, what), d); err != nil {
		return fmt.Errorf("pause %s: %w", what, err)
	}
	return nil
}

// Paused reports whether the time of a Pause has not passed.
func (s *Store) Paused(ctx context.Context, t tenant.ID, practice, what string) (bool, error) {
	marked, err := s.cache.RecentlyRead(ctx, []cache.Key{s.pauseKey(t, practice, what)})
	if err != nil {
		return false, fmt.Errorf("read pause of %s: %w", what, err)
	}
	return marked[0], nil
}

func (s *Store) pauseKey(t tenant.ID, practice, what string) cache.Key {
	return cache.Key{Tenant: t, Class: identityClass, ID: s.scope(t, practice).names.ref(nounPause, practice+" "+what)}
}
