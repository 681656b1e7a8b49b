package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// House is what a practice says of itself, its people and its places, as far as it is known. The zero House says nothing.
type House struct {
	Place     Place      `json:"place,omitzero"`
	Providers []Provider `json:"providers"`
	Locations []Location `json:"locations"`
}

// provider prefers the directory's spelling to the one in the appointment, which the vendor keeps from the day of booking.
func (h House) provider(r Resource) string {
	for _, p := range h.Providers {
		if p.ID == r.ID && p.Name != "" && !r.Room {
			return p.Name
		}
	}
	return r.Name
}

// location prefers the practice's present name of a place, as provider does.
func (h House) location(id, name string) string {
	for _, l := range h.Locations {
		if l.ID == id && l.Name != "" {
			return l.Name
		}
	}
	return name
}

// HouseRead is a House and what is known about how good it is.
type HouseRead struct {
	House House
	// AsOf is when the vendor last confirmed the oldest part of it; zero when nothing is known.
	AsOf time.Time
	// Stale says that a part was invalidated and the vendor has not been asked since.
	Stale bool
	// Unknown counts the parts of which nothing is known (yet): the practice itself, its providers, its locations.
	Unknown int
}

// House returns what is known of a practice. Nothing at all is no error: Unknown says so.
func (s *Store) House(ctx context.Context, t tenant.ID, practice string) (HouseRead, error) {
	n := s.Names(t)
	got, err := s.cache.PeekMany(ctx, []cache.Key{
		{Tenant: t, Class: directoryClass, ID: n.Directory(practice)},
		{Tenant: t, Class: locationsClass, ID: n.Locations(practice)},
		{Tenant: t, Class: practicesClass, ID: n.Practices()},
	})
	if err != nil {
		return HouseRead{}, fmt.Errorf("read house: %w", err)
	}
	var r HouseRead
	var d Directory
	var l Locations
	var all Practices
	for i, into := range []any{&d, &l, &all} {
		e := got[i]
		if e.State == cache.Miss || e.Negative || phi.Unmarshal(e.Value, into) != nil {
			r.Unknown++
			continue
		}
		r.Stale = r.Stale || !valid(e)
		r.AsOf = older(r.AsOf, e.AsOf)
	}
	r.House = House{Providers: d.Providers, Locations: l.Locations}
	for _, p := range all.Practices {
		if p.ID == practice {
			r.House.Place = p
		}
	}
	return r, nil
}

// older is the earlier of two times, of which a zero one does not count.
func older(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
