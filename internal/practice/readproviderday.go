package practice

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ProviderDayRead is a provider's day and what is known about how good it is.
type ProviderDayRead struct {
	ProviderDay ProviderDay
	// AsOf is when the vendor last confirmed the day.
	AsOf time.Time
	// Hit says that the view lay ready in the cache.
	Hit bool
	// Stale says that something of it, or the day that it was taken from, was invalidated and the vendor has not been
	// asked since.
	Stale bool
	// Missing counts the provider's visits whose documents were not in the cache; they are not in the view.
	Missing int
	// Unknown counts rows whose patient's record is not known (yet).
	Unknown int
}

// ProviderDay returns one provider's visits of a day, or ErrCold. A provider who is unknown, or has no visit that day,
// has an empty day.
func (s *Store) ProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d Date) (ProviderDayRead, error) {
	e, err := s.cache.Peek(ctx, cache.Key{Tenant: t, Class: dayClass, ID: s.Names(t).Day(practice, d)})
	if err != nil {
		return ProviderDayRead{}, fmt.Errorf("read day: %w", err)
	}
	var day Day
	if e.State == cache.Miss || phi.Unmarshal(e.Value, &day) != nil {
		return ProviderDayRead{}, ErrCold
	}
	b := BoardRead{Stale: !valid(e)}
	visits, err := s.visits(ctx, t, day, &b)
	if err != nil {
		return ProviderDayRead{}, err
	}
	visits = slices.DeleteFunc(visits, func(a Appointment) bool { return !a.takes(provider) })
	patients, err := s.patients(ctx, t, visits, &b)
	if err != nil {
		return ProviderDayRead{}, err
	}
	dir, err := s.directory(ctx, t, practice, &b)
	if err != nil {
		return ProviderDayRead{}, err
	}
	r := ProviderDayRead{
		ProviderDay: BuildProviderDay(practice, provider, d, visits, patients, dir), AsOf: e.Filled, Stale: b.Stale,
		Missing: b.Missing,
	}
	for _, row := range r.ProviderDay.Rows {
		if !row.Known {
			r.Unknown++
		}
	}
	return r, nil
}
