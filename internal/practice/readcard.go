package practice

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
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
	// Unknown counts days of which the card says nothing, of CardDays, since nothing is known of them (yet): the patient may
	// have visits then.
	Unknown int
}

// PatientCard returns the card of one patient with the visits at the practice from today on, for CardDays days; today is
// the day at the practice. It returns ErrCold when the vendor was never asked about the patient, and ErrAbsent when the
// vendor knew no such patient. Days of which nothing is known make the card poorer and never an error. It remembers that
// somebody reads it; see Read.
func (s *Store) PatientCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today civil.Date) (CardRead, error) {
	if err := s.want(ctx, t, cardClass, s.Names(t).Card(practice, id)); err != nil {
		return CardRead{}, err
	}
	return s.WarmPatientCard(ctx, t, practice, id, today)
}

// WarmPatientCard is PatientCard for who does not read it.
func (s *Store) WarmPatientCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today civil.Date) (CardRead, error) {
	n := s.Names(t)
	p, err := s.peekCard(ctx, t, n, practice, id, today)
	if err != nil {
		return CardRead{}, err
	}
	telemetry.CacheRead(ctx, cardClass.Name, p.card.State.String())
	if _, err := p.patient(); err != nil {
		return CardRead{}, err
	}
	r := p.read(practice)
	var kept keptCard
	if r.Hit = p.card.State == cache.Fresh && phi.Unmarshal(p.card.Value, &kept) == nil && kept.Days.hold(p.known()); r.Hit {
		p.recall(&r, kept)
	}
	telemetry.DataRead(ctx, cardClass.Name, p.age)
	if r.Hit {
		return r, nil
	}
	err = building(ctx, t, cardClass, func(ctx context.Context) (rows int, err error) {
		r, err = s.buildCard(ctx, t, practice, id, today)
		return len(r.Card.Visits), err
	})
	return r, err
}

// cardParts are the entries that a card is made of, all of one reading.
type cardParts struct {
	card, record, roll cache.Entry
	days               []cache.Entry
	age                time.Duration // of the oldest, once read
}

func (s *Store) peekCard(ctx context.Context, t tenant.ID, n Names, practice string, id phi.Text, today civil.Date) (*cardParts, error) {
	keys := []cache.Key{
		{Tenant: t, Class: cardClass, ID: n.cardFrom(practice, id, today)},
		{Tenant: t, Class: patientClass, ID: n.Patient(id)},
		{Tenant: t, Class: rollClass, ID: n.Roll(practice)},
	}
	for _, d := range civil.Range(today, today.Add(CardDays-1)) {
		keys = append(keys, cache.Key{Tenant: t, Class: dayClass, ID: n.Day(practice, d)})
	}
	got, err := s.cache.PeekMany(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read card: %w", err)
	}
	return &cardParts{card: got[0], record: got[1], roll: got[2], days: got[3:]}, nil
}

// daySet is a set of the days of a card: a bit for each, the first day's the lowest.
type daySet uint32

const _ = uint(32 - CardDays) // they fit

// hold reports whether all of others are in the set.
func (s daySet) hold(others daySet) bool { return others&^s == 0 }

// missing counts the card's other days.
func (s daySet) missing() int { return CardDays - bits.OnesCount32(uint32(s)) }

// keptCard is a card as it lies in the cache, with the days whose rosters were there when it was made, and how old it was. A
// roster that comes later tells nobody when no visit of it is new: it was only away.
type keptCard struct {
	Card Card      `json:"card"`
	Days daySet    `json:"days"`
	AsOf time.Time `json:"as_of"`
}

// recall makes r the kept card. What it shows of days whose rosters have gone since is as old as the card was when it was
// made, or younger.
func (p *cardParts) recall(r *CardRead, kept keptCard) {
	r.Card = kept.Card
	if p.known() == kept.Days {
		return
	}
	r.Unknown = kept.Days.missing()
	if kept.AsOf.Before(r.AsOf) {
		p.age += r.AsOf.Sub(kept.AsOf)
		r.AsOf = kept.AsOf
	}
}

// known are the days of which there is a roster.
func (p *cardParts) known() daySet {
	var s daySet
	for i, e := range p.days {
		if e.State != cache.Miss && !e.Negative {
			s |= 1 << i
		}
	}
	return s
}

// patient is the record.
func (p *cardParts) patient() (Patient, error) {
	var record Patient
	switch {
	case p.record.Negative && valid(p.record):
		return Patient{}, ErrAbsent
	case p.record.State == cache.Miss || p.record.Negative || phi.Unmarshal(p.record.Value, &record) != nil:
		return Patient{}, ErrCold
	}
	return record, nil
}

// read says how good the parts are.
func (p *cardParts) read(practice string) CardRead {
	r := CardRead{Stale: !valid(p.record), Unknown: p.known().missing()}
	r.AsOf, p.age = p.record.AsOf, p.record.Age
	if record, err := p.patient(); err == nil && confirmed(p.record, p.roll, record, practice) {
		r.AsOf, p.age = p.roll.AsOf, p.roll.Age
	}
	for _, e := range p.days {
		switch {
		case e.State == cache.Miss || e.Negative:
			continue
		case e.AsOf.Before(r.AsOf):
			r.AsOf, p.age = e.AsOf, e.Age
		}
		r.Stale = r.Stale || !valid(e)
	}
	return r
}

// confirmed reports whether the roll speaks for the record as of a later time than its own.
func confirmed(record, roll cache.Entry, p Patient, practice string) bool {
	return valid(record) && valid(roll) && p.Practice == practice && roll.AsOf.After(record.AsOf)
}

func (s *Store) buildCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today civil.Date) (CardRead, error) {
	b, err := s.builder(ctx, t, practice)
	if err != nil {
		return CardRead{}, err
	}
	parts, err := s.peekCard(ctx, t, b.names, practice, id, today)
	if err != nil {
		return CardRead{}, err
	}
	record, err := parts.patient()
	if err != nil {
		return CardRead{}, err
	}
	r := parts.read(practice)
	b.stale = r.Stale
	var days []Day
	for _, e := range parts.days {
		if day, ok := b.roster(e); ok {
			day.Visits = slices.DeleteFunc(day.Visits, func(v Booking) bool { return v.Patient != id })
			days = append(days, day)
		}
	}
	visits, err := b.visits(ctx, days...)
	if err != nil {
		return CardRead{}, err
	}
	house, err := b.house(ctx)
	if err != nil {
		return CardRead{}, err
	}
	r.Card = BuildCard(practice, today, record, visits, house)
	r.Stale, r.Missing = b.stale, b.missing
	n := b.names
	return r, b.keep(ctx, b.key(cardClass, n.cardFrom(practice, id, today)), keptCard{r.Card, parts.known(), r.AsOf},
		n.Card(practice, id), n.Patient(id), n.Directory(practice), n.Locations(practice))
}
