package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Invalidated is what Invalidate learned about a record, so that the caller can request a new
// read of it.
type Invalidated struct {
	Practice string     // "" if not known
	Day      civil.Date // of an appointment; zero if not known
}

// Invalidate makes every cached copy of the record, and everything built on it, invalid at once,
// and appends an event to the log. Facts that the caller does not know are taken from the last-seen
// record. r.Noun is one of appointment, patient, directory, practice.
func (s *Store) Invalidate(ctx context.Context, t tenant.ID, r Record, eventID string) (Invalidated, error) {
	switch r.Noun {
	case NounAppointment:
		sc := s.scope(t, "")
		was, err := readLastSeenOf[visitSeen](ctx, sc, sc.names.Appointment(r.ID))
		if err != nil {
			return Invalidated{}, err
		}
		if was.known {
			r = was.facts.record(r.ID)
		}
	case NounPatient, NounDirectory, NounPractice:
	default:
		return Invalidated{}, fmt.Errorf("practice: a %s is not invalidated by itself", r.Noun)
	}
	c := change{scope: s.scope(t, r.Practice), kind: events.EntityInvalidated, eventID: eventID}
	c.add(c.names, r)
	c.rollups, c.views = append(c.rollups, c.views...), nil // the event names the record alone
	if _, err := c.commit(ctx); err != nil {
		return Invalidated{}, fmt.Errorf("invalidate: %w", err)
	}
	return Invalidated{Practice: r.Practice, Day: r.Day}, nil
}
