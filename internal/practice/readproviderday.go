package practice

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ProviderDayRead is a provider's day and what is known about how good it is.
type ProviderDayRead struct {
	ProviderDay ProviderDay
	// AsOf is when the vendor last confirmed the day.
	AsOf time.Time
	// Hit says that the view lay ready in the cache. Otherwise it was put together from cached documents just now.
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
// has an empty day. It remembers that somebody reads it; see Read.
func (s *Store) ProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d civil.Date) (ProviderDayRead, error) {
	if err := s.want(ctx, t, providerClass, s.Names(t).ProviderDay(practice, provider, d)); err != nil {
		return ProviderDayRead{}, err
	}
	return s.WarmProviderDay(ctx, t, practice, provider, d)
}

// WarmProviderDay is ProviderDay for who does not read it.
func (s *Store) WarmProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d civil.Date) (ProviderDayRead, error) {
	n := s.Names(t)
	got, err := s.cache.PeekMany(ctx, []cache.Key{
		{Tenant: t, Class: providerClass, ID: n.ProviderDay(practice, provider, d)}, {Tenant: t, Class: dayClass, ID: n.Day(practice, d)},
	})
	if err != nil {
		return ProviderDayRead{}, fmt.Errorf("read provider's day: %w", err)
	}
	view, day := got[0], got[1]
	telemetry.CacheRead(ctx, providerClass.Name, view.State.String())
	if day.State == cache.Miss || day.Negative {
		return ProviderDayRead{}, ErrCold
	}
	telemetry.DataRead(ctx, providerClass.Name, day.Age)
	r := ProviderDayRead{AsOf: day.AsOf, Stale: !valid(day)}
	if view.State == cache.Fresh && phi.Unmarshal(view.Value, &r.ProviderDay) == nil {
		r.Hit, r.Unknown = true, unknown(r.ProviderDay.Rows)
		return r, nil
	}
	err = building(ctx, t, providerClass, func(ctx context.Context) (rows int, err error) {
		r, err = s.buildProviderDay(ctx, t, practice, provider, d)
		return len(r.ProviderDay.Rows), err
	})
	return r, err
}

func (s *Store) buildProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d civil.Date) (ProviderDayRead, error) {
	b, err := s.builder(ctx, t, practice)
	if err != nil {
		return ProviderDayRead{}, err
	}
	e, err := s.cache.Peek(ctx, b.key(dayClass, b.names.Day(practice, d)))
	if err != nil {
		return ProviderDayRead{}, fmt.Errorf("read day: %w", err)
	}
	day, ok := b.roster(e)
	if !ok {
		return ProviderDayRead{}, ErrCold
	}
	day.Visits = slices.DeleteFunc(day.Visits, func(v Booking) bool { return !slices.Contains(v.Providers, provider) })
	visits, err := b.visits(ctx, day)
	if err != nil {
		return ProviderDayRead{}, err
	}
	patients, err := b.patients(ctx, visits)
	if err != nil {
		return ProviderDayRead{}, err
	}
	house, err := b.house(ctx)
	if err != nil {
		return ProviderDayRead{}, err
	}
	view := BuildProviderDay(practice, provider, d, visits, patients, house)
	name := b.names.ProviderDay(practice, provider, d)
	parts := append(b.people(visits), name, b.names.Directory(practice), b.names.Locations(practice))
	if err := b.keep(ctx, b.key(providerClass, name), view, parts...); err != nil {
		return ProviderDayRead{}, err
	}
	return ProviderDayRead{
		ProviderDay: view, AsOf: e.AsOf, Stale: b.stale, Missing: b.missing, Unknown: unknown(view.Rows),
	}, nil
}

// people names the patients on the visits one by one where an entry has room for them beside four other tags, else all
// patients together.
func (b *builder) people(visits []Appointment) []phi.Ref {
	ids := patientsOf(visits)
	if len(ids) > cache.MaxTags-4 {
		return []phi.Ref{b.names.Patients()}
	}
	var out []phi.Ref
	for _, id := range ids {
		out = append(out, b.names.Patient(id))
	}
	return out
}
