package practice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ErrAbsent means that the vendor says that there is no such patient.
var ErrAbsent = errors.New("practice: the vendor knows no such patient")

// CardRead is a patient card and what is known about how good it is.
type CardRead struct {
	Card Card
	// AsOf is when the vendor last confirmed the oldest part of the card: the record, or one of the days.
	AsOf time.Time
	// Hit says that the card lay ready in the cache.
	Hit bool
	// Stale says that something on the card, or a day that it was taken from, was invalidated and the vendor has not been
	// asked since.
	Stale bool
	// Missing counts the patient's visits whose documents were not in the cache; they are not on the card.
	Missing int
	// Unknown counts days of which nothing is known (yet): the patient may have visits then.
	Unknown int
}

// PatientCard returns the card of one patient with the visits at the practice from today on, for CardDays days; today is
// the day at the practice. It returns ErrCold when the vendor was never asked about the patient, and ErrAbsent when the
// vendor knew no such patient. Days of which nothing is known make the card poorer and never an error.
func (s *Store) PatientCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today Date) (CardRead, error) {
	n := s.Names(t)
	days := Days(today, today.Add(CardDays-1))
	keys := []cache.Key{{Tenant: t, Class: patientClass, ID: n.Patient(id)}}
	for _, d := range days {
		keys = append(keys, cache.Key{Tenant: t, Class: dayClass, ID: n.Day(practice, d)})
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return CardRead{}, fmt.Errorf("read card: %w", err)
	}
	record := got[0]
	var p Patient
	switch {
	case record.Negative && valid(record):
		return CardRead{}, ErrAbsent
	case record.State == cache.Miss || record.Negative || phi.Unmarshal(record.Value, &p) != nil:
		return CardRead{}, ErrCold
	}
	r := CardRead{AsOf: record.Filled, Stale: !valid(record)}
	var own []Appointment
	for _, e := range got[1:] {
		var day Day
		if e.State == cache.Miss || phi.Unmarshal(e.Value, &day) != nil {
			r.Unknown++
			continue
		}
		if e.Filled.Before(r.AsOf) {
			r.AsOf = e.Filled
		}
		var b BoardRead
		visits, err := s.visits(ctx, t, day, &b)
		if err != nil {
			return CardRead{}, err
		}
		r.Stale = r.Stale || b.Stale || !valid(e)
		for _, a := range visits {
			if a.Patient == id {
				own = append(own, a)
			}
		}
	}
	var b BoardRead
	dir, err := s.directory(ctx, t, practice, &b)
	if err != nil {
		return CardRead{}, err
	}
	r.Stale = r.Stale || b.Stale
	r.Card = BuildCard(practice, today, p, own, dir)
	return r, nil
}
