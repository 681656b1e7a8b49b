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

// Invalidated is what Invalidate learned about a record, so that the caller can request a new
// read of it.
type Invalidated struct {
	Practice string     // "" if not known
	Day      civil.Date // of an appointment, one of several if it has several rows; zero if not known
}

// Invalidate makes every cached copy of the record, and everything built on it, invalid at once,
// and appends an event to the log. Facts that the caller does not know are taken from the last-seen
// record. r.Noun is one of appointment, patient, directory, practice. An appointment with several
// rows is invalidated with all of them, in as many changes and events as that takes.
func (s *Store) Invalidate(ctx context.Context, t tenant.ID, r Record, eventID string) (Invalidated, error) {
	records, tooMany := []Record{r}, false
	switch r.Noun {
	case NounAppointment:
		var err error
		if records, tooMany, err = s.scope(t, r.Practice).asSeen(ctx, r); err != nil {
			return Invalidated{}, err
		}
	case NounPatient, NounDirectory, NounPractice:
	default:
		return Invalidated{}, fmt.Errorf("practice: a %s is not invalidated by itself", r.Noun)
	}
	for first := true; len(records) > 0; first = false {
		c := change{scope: s.scope(t, records[0].Practice), kind: events.EntityInvalidated, eventID: eventID}
		if first && r.Noun == NounAppointment {
			c.rollups = append(c.rollups, c.names.occurrences(r.ID))
		}
		if first && tooMany {
			c.rollups = append(c.rollups, c.names.Practice(c.practice))
		}
		for len(records) > 0 {
			next := c.impact
			next.add(c.names, records[0])
			if len(c.records) > 0 && len(next.all()) > cache.MaxChange {
				break
			}
			c.impact, r = next, records[0]
			records = records[1:]
		}
		c.rollups, c.views = append(c.rollups, c.views...), nil // the event names the record alone
		if _, err := c.commit(ctx); err != nil {
			return Invalidated{}, fmt.Errorf("invalidate: %w", err)
		}
	}
	return Invalidated{Practice: r.Practice, Day: r.Day}, nil
}

// asSeen returns the appointment as it was last seen, and its occurrences. tooMany reports that
// there are more than its record names, which only the practice's tag reaches.
func (sc scope) asSeen(ctx context.Context, r Record) (all []Record, tooMany bool, err error) {
	was, err := readLastSeenOf[visitSeen](ctx, sc, sc.names.Appointment(r.ID))
	if err != nil || !was.known {
		return []Record{r}, false, err
	}
	records := []Record{was.facts.record(r.ID)}
	var keys []phi.Text
	var refs []phi.Ref
	for _, o := range was.facts.Occurrences {
		key := visitKey(r.ID, o)
		keys, refs = append(keys, key), append(refs, sc.names.Appointment(key))
	}
	occurrences, err := readLastSeen[visitSeen](ctx, sc, refs)
	if err != nil {
		return nil, false, err
	}
	for i, seen := range occurrences {
		if seen.known {
			records = append(records, seen.facts.record(keys[i]))
			continue
		}
		_, occurrence := splitKey(keys[i])
		on, _ := splitOccurrence(occurrence)
		records = append(records, Record{Noun: NounAppointment, ID: keys[i], Practice: was.facts.Practice, Day: on})
	}
	return records, was.facts.More, nil
}

// DoubtDays makes what is known of the days stale, and everything that shows them, until they are
// read again. At most 60 days.
func (s *Store) DoubtDays(ctx context.Context, t tenant.ID, practice string, from, to civil.Date) error {
	c := change{scope: s.scope(t, practice), kind: events.EntityInvalidated}
	for _, d := range civil.Range(from, to) {
		c.documents = append(c.documents, c.names.Day(practice, d))
		c.rollups = append(c.rollups, c.names.Board(practice, d))
	}
	if len(c.documents) == 0 {
		return nil
	}
	if _, err := c.commit(ctx); err != nil {
		return fmt.Errorf("doubt days: %w", err)
	}
	return nil
}
