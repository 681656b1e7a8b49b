package practice

import (
	"context"
	"math/bits"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// CardRead is a patient card and its freshness.
type CardRead struct {
	Card Card
	Freshness
}

// PatientCard returns the card of one patient with the visits at the practice from today on, for
// CardDays days; today is the day at the practice. It returns ErrCold if the vendor was never asked
// about the patient, and ErrAbsent if the vendor reported that the patient does not exist. Days of
// which nothing is known are counted and are no error. The card counts as recently read
// (RecentlyRead).
func (s *Store) PatientCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today civil.Date) (CardRead, error) {
	if err := s.markRead(ctx, t, cardClass, s.Names(t).Card(practice, id)); err != nil {
		return CardRead{}, err
	}
	return s.WarmPatientCard(ctx, t, practice, id, today)
}

// WarmPatientCard is PatientCard for callers that only fill the cache: it does not count as a read.
func (s *Store) WarmPatientCard(ctx context.Context, t tenant.ID, practice string, id phi.Text, today civil.Date) (CardRead, error) {
	sc := s.scope(t, practice)
	card, fresh, err := read(ctx, sc, cardView{sc, id, today})
	return CardRead{card, fresh}, err
}

type cardView struct {
	scope
	patient phi.Text
	today   civil.Date
}

func (v cardView) keys() (own cache.Key, parts []cache.Key) {
	parts = []cache.Key{
		v.key(patientClass, v.names.Patient(v.patient)),
		v.key(patientsConfirmationClass, v.names.PatientsConfirmation(v.practice)),
		v.key(mergedClass, v.names.Patient(v.patient)),
	}
	for _, d := range civil.Range(v.today, v.today.Add(CardDays-1)) {
		parts = append(parts, v.day(d))
	}
	return v.key(cardClass, v.names.cardFrom(v.practice, v.patient, v.today)), parts
}

// cardParts are the parts of a card by name.
type cardParts struct {
	record, confirmation, merged cache.Entry
	days                         []cache.Entry
}

func cardPartsOf(parts []cache.Entry) cardParts {
	return cardParts{record: parts[0], confirmation: parts[1], merged: parts[2], days: parts[3:]}
}

// patient is the record, or ErrCold or ErrAbsent.
func (p cardParts) patient(ctx context.Context) (Patient, error) {
	if p.record.Negative && valid(p.record) || !exists(p.record) && valid(p.merged) {
		return Patient{}, ErrAbsent
	}
	record, ok := decode[Patient](ctx, p.record)
	if !ok {
		return Patient{}, ErrCold
	}
	return record, nil
}

// known are the days that have a roster.
func (p cardParts) known() daySet {
	var s daySet
	for i, e := range p.days {
		if exists(e) {
			s |= 1 << i
		}
	}
	return s
}

// assess returns the freshness of the oldest part: the record, or one of the days. A list of
// changes may have confirmed the record since it was read.
func (v cardView) assess(ctx context.Context, parts []cache.Entry) (assessment, error) {
	p := cardPartsOf(parts)
	record, err := p.patient(ctx)
	if err != nil {
		return assessment{}, err
	}
	oldest := p.record
	if confirmed(p.record, p.confirmation, record, v.practice) {
		oldest = p.confirmation
	}
	a := assessment{Freshness: Freshness{Stale: !valid(p.record), Unknown: p.known().missing()}}
	for _, e := range p.days {
		if !exists(e) {
			continue
		}
		if e.AsOf.Before(oldest.AsOf) {
			oldest = e
		}
		a.Stale = a.Stale || !valid(e)
	}
	a.AsOf, a.age = oldest.AsOf, oldest.Age
	return a, nil
}

// confirmed reports whether the patientsConfirmation confirms the record as of a later time than
// the record's own.
func confirmed(record, confirmation cache.Entry, p Patient, practice string) bool {
	return valid(record) && valid(confirmation) && p.Practice == practice && confirmation.AsOf.After(record.AsOf)
}

// cachedCard is the cached form of a card, with the days whose rosters existed when it was built,
// and its age at that time. A roster that is filled later invalidates no card if none of its visits
// is new, so the card itself must record which days it covers.
type cachedCard struct {
	Card Card      `json:"card"`
	Days daySet    `json:"days"`
	AsOf time.Time `json:"as_of"`
}

// daySet is a set of the days of a card: one bit for each, the lowest for the first day.
type daySet uint32

const _ = uint(32 - CardDays) // they fit

// contains reports whether all of others are in the set.
func (s daySet) contains(others daySet) bool { return others&^s == 0 }

// missing counts the card's other days.
func (s daySet) missing() int { return CardDays - bits.OnesCount32(uint32(s)) }

// restore refuses a card that was built without a day that is known now. What the card shows of
// days whose rosters have expired since is as old as the card was when it was built, or younger.
func (v cardView) restore(ctx context.Context, cached []byte, parts []cache.Entry, a *assessment) (Card, bool) {
	var c cachedCard
	known := cardPartsOf(parts).known()
	if !restored(ctx, cardClass.Name, cached, &c) || !c.Days.contains(known) {
		return Card{}, false
	}
	if known != c.Days {
		a.Unknown = c.Days.missing()
		if c.AsOf.Before(a.AsOf) {
			a.age += a.AsOf.Sub(c.AsOf)
			a.AsOf = c.AsOf
		}
	}
	return c.Card, true
}

func (v cardView) build(ctx context.Context, parts []cache.Entry, a *assessment) (Card, any, []phi.Ref, error) {
	p := cardPartsOf(parts)
	record, err := p.patient(ctx)
	if err != nil {
		return Card{}, nil, nil, err
	}
	var days []Day
	var incomplete []DayOmission
	for _, e := range p.days {
		day, ok := decode[Day](ctx, e)
		if !ok {
			a.Stale = a.Stale || exists(e)
			continue
		}
		for _, o := range day.Incomplete {
			incomplete = append(incomplete, DayOmission{day.Date, o})
		}
		day.Visits = slices.DeleteFunc(day.Visits, func(b Booking) bool { return b.Patient != v.patient })
		days = append(days, day)
	}
	visits, err := v.visits(ctx, a, days...)
	if err != nil {
		return Card{}, nil, nil, err
	}
	info, err := v.info(ctx, a)
	if err != nil {
		return Card{}, nil, nil, err
	}
	card := buildCard(v.practice, v.today, record, visits, info)
	card.Incomplete = incomplete
	a.rows = len(card.Visits)
	n := v.names
	return card, cachedCard{card, p.known(), a.AsOf}, []phi.Ref{
		n.Card(v.practice, v.patient), n.Patient(v.patient), n.omissions(v.practice),
		n.Directory(v.practice), n.Locations(v.practice), n.Practice(v.practice),
	}, nil
}
