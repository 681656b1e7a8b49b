package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Invalidated says what Invalidate found out about a record, so that the caller can ask for it to be read anew.
type Invalidated struct {
	Practice string     // "" when nobody knew
	Day      civil.Date // of an appointment; "" when nobody knew
}

// Invalidate makes every cached copy of the record, and everything built on it, invalid at once, and says so in the log.
// Facts that the caller does not know are taken from the record's shadow. r.Noun is one of appointment, patient,
// directory, practice.
func (s *Store) Invalidate(ctx context.Context, t tenant.ID, r Record, eventID string) (Invalidated, error) {
	n, seal := s.Names(t), s.keys.For(t.String())
	var self phi.Ref
	switch r.Noun {
	case NounAppointment:
		self = n.Appointment(r.ID)
		sh, err := readShadow[visitShadow](ctx, s.cache, seal, t, self)
		if err != nil {
			return Invalidated{}, err
		}
		if sh.known {
			r = sh.facts.record(r.ID)
		}
	case NounPatient:
		self = n.Patient(r.ID)
	case NounDirectory:
		self = n.Directory(r.Practice)
	case NounPractice:
		self = n.Practice(r.Practice)
	default:
		return Invalidated{}, fmt.Errorf("practice: a %s is not invalidated by itself", r.Noun)
	}
	body := events.Body{Kind: events.EntityInvalidated, Refs: []phi.Ref{self}}
	if r.Practice != "" {
		body.Practice = n.Practice(r.Practice)
	}
	_, err := s.invalidate(ctx, t, cache.Change{Tags: n.Cascade(r), Event: body, EventID: eventID})
	if err != nil {
		return Invalidated{}, fmt.Errorf("invalidate: %w", err)
	}
	return Invalidated{Practice: r.Practice, Day: r.Day}, nil
}
