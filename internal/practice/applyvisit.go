package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Sight is what a look at one appointment showed.
type Sight struct {
	// Record is the appointment as it was known, without facts when it was not.
	Record Record
	// Changed says that the look changed what is known.
	Changed bool
	// Days are those whose whole list has to be read, because the appointment is not, any more, where or with whom it was:
	// where it was, and where it is. Days of which nothing is known are not among them.
	Days []civil.Date
}

// ApplyVisit compares one appointment, read by itself under the grant, with what is known of it; a nil Detail is one that
// the vendor says does not exist. Only what cannot move it to another list is applied: its hours within the day and its
// status. All else changes rosters and carries names that the vendor's single answer lacks, so it is left to a look at
// the days, which also doubts what has gone. Errors are as in ApplyDay.
func (s *Store) ApplyVisit(ctx context.Context, t tenant.ID, practice string, id phi.Text, detail *Detail, since cache.Grant) (Sight, error) {
	n, seal := s.Names(t), s.keys.For(t.String())
	key := cache.Key{Tenant: t, Class: visitClass, ID: n.Appointment(id)}
	was, err := readShadow[visitShadow](ctx, s.cache, seal, t, key.ID)
	if err != nil {
		return Sight{}, err
	}
	e, err := s.cache.Peek(ctx, key)
	if err != nil {
		return Sight{}, fmt.Errorf("read visit: %w", err)
	}
	out := Sight{Record: Record{Noun: NounAppointment, ID: id, Practice: practice}}
	if was.known {
		out.Record = was.facts.record(id)
	}
	var known Appointment
	usable := was.known && e.State != cache.Miss && !e.Negative && phi.Unmarshal(e.Value, &known) == nil
	if usable { // a copy older than what is remembered lacks what has changed since
		hash, err := Hash(seal, &known)
		usable = err == nil && hash == was.facts.Hash
	}
	if !usable || detail == nil || !detail.fits(known) {
		out.Days, err = s.lookAt(ctx, t, practice, was, detail)
		return out, err
	}
	next := known
	next.Start, next.End, next.Status = detail.Start, detail.End, detail.Status
	out.Changed, err = s.changeVisit(ctx, t, next, was, since)
	return out, err
}

// changeVisit caches the visit, which is on the lists that it was on.
func (s *Store) changeVisit(ctx context.Context, t tenant.ID, a Appointment, was shadow[visitShadow], since cache.Grant) (changed bool, err error) {
	n, seal := s.Names(t), s.keys.For(t.String())
	hash, err := Hash(seal, &a)
	if err != nil {
		return false, fmt.Errorf("hash appointment: %w", err)
	}
	grant := since
	if was.facts.Hash != hash {
		next, err := was.next(seal, shadowOf(&a, hash))
		if err != nil {
			return false, err
		}
		var r reach
		r.add(n, was.facts.record(a.ID))
		practice := n.Practice(a.Practice)
		grant, err = s.invalidate(ctx, t, cache.Change{
			Tags: r.tags(), LastSeen: []cache.LastSeenUpdate{next}, Event: r.event(practice), BasedOn: since,
			Preconditions: map[cache.Tag]uint64{cache.TagOf(n.Appointment(a.ID)): since.Stamp, cache.TagOf(practice): since.Stamp},
		})
		if err != nil {
			return false, fmt.Errorf("apply visit: %w", err)
		}
		changed = true
	}
	item, err := visitItem(t, n, a)
	if err != nil {
		return changed, err
	}
	return changed, s.fillAll(ctx, grant, []cache.Item{item})
}

// lookAt returns the days on which the appointment was and is, as far as they are known.
func (s *Store) lookAt(ctx context.Context, t tenant.ID, practice string, was shadow[visitShadow], detail *Detail) ([]civil.Date, error) {
	n := s.Names(t)
	var days []civil.Date
	if was.known && was.facts.Practice == practice {
		days = append(days, was.facts.Day)
	}
	if detail != nil {
		days = append(days, detail.Day)
	}
	days = distinct(days)
	keys := make([]cache.Key, len(days))
	for i, d := range days {
		keys[i] = cache.Key{Tenant: t, Class: dayClass, ID: n.Day(practice, d)}
	}
	rosters, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read days: %w", err)
	}
	var out []civil.Date
	for i, e := range rosters {
		if e.State != cache.Miss {
			out = append(out, days[i])
		}
	}
	return out, nil
}
