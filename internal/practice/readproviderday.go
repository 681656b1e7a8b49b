package practice

import (
	"context"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ProviderDayRead is a provider's day and its freshness.
type ProviderDayRead struct {
	ProviderDay ProviderDay
	Freshness
}

// ProviderDay returns one provider's visits of a day, or ErrCold. A provider that is unknown, or
// has no visit that day, has an empty day. The view counts as recently read (RecentlyRead).
func (s *Store) ProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d civil.Date) (ProviderDayRead, error) {
	if err := s.markRead(ctx, t, providerClass, s.Names(t).ProviderDay(practice, provider, d)); err != nil {
		return ProviderDayRead{}, err
	}
	return s.WarmProviderDay(ctx, t, practice, provider, d)
}

// WarmProviderDay is ProviderDay for callers that only fill the cache: it does not count as a read.
func (s *Store) WarmProviderDay(ctx context.Context, t tenant.ID, practice, provider string, d civil.Date) (ProviderDayRead, error) {
	sc := s.scope(t, practice)
	day, fresh, err := read(ctx, sc, providerDayView{sc, provider, d})
	return ProviderDayRead{day, fresh}, err
}

type providerDayView struct {
	scope
	provider string
	date     civil.Date
}

func (v providerDayView) keys() (own cache.Key, parts []cache.Key) {
	return v.key(providerClass, v.names.ProviderDay(v.practice, v.provider, v.date)), []cache.Key{v.day(v.date)}
}

func (providerDayView) assess(_ context.Context, parts []cache.Entry) (assessment, error) {
	return assessDay(parts[0])
}

func (providerDayView) restore(ctx context.Context, cached []byte, _ []cache.Entry, a *assessment) (ProviderDay, bool) {
	var day ProviderDay
	if !restored(ctx, providerClass.Name, cached, &day) {
		return ProviderDay{}, false
	}
	a.Unknown = withoutRecord(day.Rows)
	return day, true
}

func (v providerDayView) build(ctx context.Context, parts []cache.Entry, a *assessment) (ProviderDay, any, []phi.Ref, error) {
	day, ok := decode[Day](ctx, parts[0])
	if !ok {
		return ProviderDay{}, nil, nil, ErrCold
	}
	day.Visits = slices.DeleteFunc(day.Visits, func(b Booking) bool { return !slices.Contains(b.Providers, v.provider) })
	visits, patients, info, err := v.ofDay(ctx, a, day)
	if err != nil {
		return ProviderDay{}, nil, nil, err
	}
	built := buildProviderDay(v.practice, v.provider, v.date, visits, patients, info)
	built.Incomplete = day.Incomplete
	a.rows, a.Unknown = len(built.Rows), withoutRecord(built.Rows)
	n := v.names
	return built, built, append(v.people(visits),
		n.ProviderDay(v.practice, v.provider, v.date), n.Directory(v.practice), n.Locations(v.practice), n.Practice(v.practice)), nil
}

// people names the patients on the visits one by one if an entry has room for them beside four
// other tags, else all patients together.
func (sc scope) people(visits []Appointment) []phi.Ref {
	ids := patientsOf(visits)
	if len(ids) > cache.MaxTags-4 {
		return []phi.Ref{sc.names.Patients()}
	}
	var out []phi.Ref
	for _, id := range ids {
		out = append(out, sc.names.Patient(id))
	}
	return out
}
