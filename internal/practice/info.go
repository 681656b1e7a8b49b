package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Info is what the vendor lists about a practice, its providers and its places. The zero Info is
// empty.
type Info struct {
	Place     Place      `json:"place,omitzero"`
	Providers []Provider `json:"providers"`
	Locations []Location `json:"locations"`
}

// provider prefers the directory's spelling to the one in the appointment, which the vendor keeps
// from the day of booking.
func (i Info) provider(r Resource) string {
	for _, p := range i.Providers {
		if p.ID == r.ID && p.Name != "" && !r.Room {
			return p.Name
		}
	}
	return r.Name
}

// location prefers the practice's present name of a place, as provider does.
func (i Info) location(id, name string) string {
	for _, l := range i.Locations {
		if l.ID == id && l.Name != "" {
			return l.Name
		}
	}
	return name
}

// Info returns what is known of a practice. stale reports that a part of it was invalidated and
// that the vendor has not been asked since. It is not an error if nothing is known.
func (s *Store) Info(ctx context.Context, t tenant.ID, practice string) (info Info, stale bool, err error) {
	sc := s.scope(t, practice)
	parts, err := s.cache.PeekMany(ctx, []cache.Key{
		sc.documentKey(Record{Noun: NounDirectory, Practice: practice}),
		sc.documentKey(Record{Noun: NounLocations, Practice: practice}),
		sc.documentKey(Record{Noun: NounPractices}),
	})
	if err != nil {
		return Info{}, false, fmt.Errorf("read practice info: %w", err)
	}
	directory, hasProviders := decode[Directory](ctx, parts[0])
	locations, hasLocations := decode[Locations](ctx, parts[1])
	all, hasPractices := decode[Practices](ctx, parts[2])
	for i, known := range []bool{hasProviders, hasLocations, hasPractices} {
		stale = stale || known && !valid(parts[i])
	}
	info = Info{Providers: directory.Providers, Locations: locations.Locations}
	if i := slices.IndexFunc(all.Practices, func(p Place) bool { return p.ID == practice }); i >= 0 {
		info.Place = all.Practices[i]
	}
	return info, stale, nil
}
