package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// VisitCheck is the result of reading one appointment by itself.
type VisitCheck struct {
	// Record is the appointment as it was known, without facts if it was not.
	Record Record
	// Changed reports that the read changed what is known.
	Changed bool
	// Days are those whose whole list must be read, because the appointment is no longer where or
	// with whom it was: the day that it was on, and the day that it is on. Days of which nothing is
	// known are not among them.
	Days []civil.Date
}

// ApplyVisit compares one appointment, read by itself under the grant, with what is known of it; a
// nil Detail is one that the vendor reports as not existing. It applies only what cannot move the
// appointment to another list: its hours within the day and its status. Everything else changes
// rosters, and needs names that the vendor's single answer lacks, so it is left to a read of the
// days, which also handles visits that are gone. Errors are as in ApplyDay.
func (s *Store) ApplyVisit(ctx context.Context, t tenant.ID, practice string, id phi.Text, detail *Detail, since cache.Grant) (VisitCheck, error) {
	sc := s.scope(t, practice)
	out := VisitCheck{Record: Record{Noun: NounAppointment, ID: id, Practice: practice}}
	key := sc.documentKey(out.Record)
	was, err := readLastSeenOf[visitSeen](ctx, sc, key.ID)
	if err != nil {
		return VisitCheck{}, err
	}
	e, err := s.cache.Peek(ctx, key)
	if err != nil {
		return VisitCheck{}, fmt.Errorf("read visit: %w", err)
	}
	if was.known {
		out.Record = was.facts.record(id)
	}
	known, usable := decode[Appointment](ctx, e)
	if usable = usable && was.known && len(was.facts.Occurrences) == 0; usable { // a copy older than the last-seen record lacks what has changed since
		hash, err := contentHash(sc.names.sealer, &known)
		usable = err == nil && hash == was.facts.Hash
	}
	if !usable || detail == nil || !detail.fits(known) {
		out.Days, err = sc.daysToRead(ctx, was, detail)
		return out, err
	}
	next := known
	next.Start, next.End, next.Status = detail.Start, detail.End, detail.Status
	out.Changed, err = s.scope(t, known.Practice).changeVisit(ctx, next, was, since)
	return out, err
}

// changeVisit caches the visit, which stays on the lists that it was on.
func (sc scope) changeVisit(ctx context.Context, a Appointment, was lastSeen[visitSeen], since cache.Grant) (changed bool, err error) {
	hash, err := contentHash(sc.names.sealer, &a)
	if err != nil {
		return false, fmt.Errorf("hash appointment: %w", err)
	}
	grant := since
	if changed = was.facts.Hash != hash; changed {
		seen := sc.seen(&a, a.Day, hash)
		seen.Modified, seen.Left = was.facts.Modified, was.facts.Left
		next, err := was.replace(sc.names.sealer, seen)
		if err != nil {
			return false, err
		}
		c := change{scope: sc, kind: events.AppointmentChanged, since: since, lastSeen: []cache.LastSeenUpdate{next}}
		c.add(sc.names, was.facts.record(a.ID))
		if grant, err = c.commit(ctx); err != nil {
			return false, fmt.Errorf("apply visit: %w", err)
		}
	}
	return changed, sc.fillChanged(ctx, since, grant, visitDocument(a))
}

// daysToRead returns the days that the appointment was on and is on, if they have rosters.
func (sc scope) daysToRead(ctx context.Context, was lastSeen[visitSeen], detail *Detail) ([]civil.Date, error) {
	var days []civil.Date
	if was.known && was.facts.Practice == sc.practice {
		days = append(days, was.facts.Day)
		for _, o := range was.facts.Occurrences {
			on, _ := splitOccurrence(o)
			days = append(days, on)
		}
	}
	if detail != nil {
		days = append(days, detail.Day)
	}
	return sc.withRosters(ctx, days)
}

// withRosters returns those of the days that have rosters, without repeats.
func (sc scope) withRosters(ctx context.Context, days []civil.Date) ([]civil.Date, error) {
	days = distinct(days)
	days = slices.DeleteFunc(days, civil.Date.IsZero)
	keys := make([]cache.Key, len(days))
	for i, d := range days {
		keys[i] = sc.day(d)
	}
	rosters, err := sc.store.peekAll(ctx, keys)
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
