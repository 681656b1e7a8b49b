package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// scope is one practice of one tenant. It reads the documents of which views are built, and notes
// in the assessment which of them are missing or in doubt.
type scope struct {
	store    *Store
	tenant   tenant.ID
	names    Names
	practice string
}

func (s *Store) scope(t tenant.ID, practice string) scope {
	return scope{store: s, tenant: t, names: s.Names(t), practice: practice}
}

func (sc scope) key(c *cache.Class, id phi.Ref) cache.Key {
	return cache.Key{Tenant: sc.tenant, Class: c, ID: id}
}

// day is the key of a day's roster.
func (sc scope) day(d civil.Date) cache.Key { return sc.key(dayClass, sc.names.Day(sc.practice, d)) }

// exists reports whether an entry holds a document, valid or not.
func exists(e cache.Entry) bool { return e.State != cache.Miss && !e.Negative }

// valid reports whether a view may be built on an entry.
func valid(e cache.Entry) bool { return e.State == cache.Fresh || e.State == cache.Soft }

// decode decodes an entry, valid or not; false if it holds no document, or one that cannot be
// decoded.
func decode[T any](ctx context.Context, e cache.Entry) (doc T, ok bool) {
	ok = exists(e) && restored(ctx, e.Class(), e.Value, &doc)
	return doc, ok
}

// restored decodes what opened, and counts what cannot be decoded.
func restored(ctx context.Context, class string, value []byte, into any) bool {
	if phi.Unmarshal(value, into) == nil {
		return true
	}
	telemetry.ValueUnusable(ctx, class, string(codes.ValueMalformed))
	return false
}

// ofDay returns everything that the views of a day show.
func (sc scope) ofDay(ctx context.Context, a *assessment, day Day) ([]Appointment, map[phi.Text]Patient, Info, error) {
	visits, err := sc.visits(ctx, a, day)
	if err != nil {
		return nil, nil, Info{}, err
	}
	patients, err := sc.patients(ctx, a, visits)
	if err != nil {
		return nil, nil, Info{}, err
	}
	info, err := sc.info(ctx, a)
	return visits, patients, info, err
}

// visits returns the visits on the days' rosters that are in the cache. It leaves out a visit whose
// document disagrees with the roster about the day, the practice or the patient: the next roster
// will not have it.
func (sc scope) visits(ctx context.Context, a *assessment, days ...Day) ([]Appointment, error) {
	var keys []cache.Key
	var of []civil.Date
	var booked []Booking
	for _, day := range days {
		for _, b := range day.Visits {
			keys = append(keys, sc.key(visitClass, sc.names.Appointment(b.key())))
			of, booked = append(of, day.Date), append(booked, b)
		}
	}
	got, err := sc.store.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var out []Appointment
	for i, e := range got {
		visit, ok := decode[Appointment](ctx, e)
		switch {
		case e.Negative:
			a.Stale = true // it has left the day
			continue
		case !ok:
			a.Missing++
			continue
		case !visit.Covers(of[i]) || visit.Practice != sc.practice || visit.Patient != booked[i].Patient || visit.Occurrence != booked[i].Occurrence:
			a.Stale = true
			continue
		}
		a.Stale = a.Stale || !valid(e)
		out = append(out, visit)
	}
	return out, nil
}

// patients returns the cached records of the patients on the visits, by id. An old record is better
// than none.
func (sc scope) patients(ctx context.Context, a *assessment, visits []Appointment) (map[phi.Text]Patient, error) {
	var keys []cache.Key
	for _, id := range patientsOf(visits) {
		keys = append(keys, sc.key(patientClass, sc.names.Patient(id)))
	}
	got, err := sc.store.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read patients: %w", err)
	}
	out := make(map[phi.Text]Patient, len(got))
	for _, e := range got {
		p, ok := decode[Patient](ctx, e)
		if ok {
			out[p.ID] = p
		}
		a.Stale = a.Stale || (ok || e.Negative) && !valid(e) // that a patient does not exist may be in doubt too
	}
	return out, nil
}

// patientsOf lists the patients of the visits without repeats.
func patientsOf(visits []Appointment) []phi.Text {
	var ids []phi.Text
	for _, a := range visits {
		if a.Patient != "" {
			ids = append(ids, a.Patient)
		}
	}
	return distinct(ids)
}

// info returns what is known of the practice. A view does without the rest.
func (sc scope) info(ctx context.Context, a *assessment) (Info, error) {
	info, stale, err := sc.store.Info(ctx, sc.tenant, sc.practice)
	a.Stale = a.Stale || stale
	return info, err
}
