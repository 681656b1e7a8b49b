package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// builder puts one view together from documents. The stamp is drawn before the first document is read, so that a change
// in between refuses the view rather than hiding in it.
type builder struct {
	store    *Store
	tenant   tenant.ID
	names    Names
	practice string
	grant    cache.Grant

	stale   bool // something that was used is in doubt
	missing int  // visits whose documents are not in the cache
}

func (s *Store) builder(ctx context.Context, t tenant.ID, practice string) (*builder, error) {
	grant, err := s.cache.Begin(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("begin view: %w", err)
	}
	return &builder{store: s, tenant: t, names: s.Names(t), practice: practice, grant: grant}, nil
}

// valid says whether an entry may be built upon.
func valid(e cache.Entry) bool { return e.State == cache.Fresh || e.State == cache.Soft }

func (b *builder) key(c *cache.Class, id phi.Ref) cache.Key {
	return cache.Key{Tenant: b.tenant, Class: c, ID: id}
}

// roster reads a day from its entry; false when nothing is known of it, or nothing that can be read.
func (b *builder) roster(e cache.Entry) (Day, bool) {
	var day Day
	if e.State == cache.Miss || e.Negative {
		return Day{}, false
	}
	if phi.Unmarshal(e.Value, &day) != nil {
		b.stale = true
		return Day{}, false
	}
	b.stale = b.stale || !valid(e)
	return day, true
}

// visits returns those of a day's bookings that are in the cache. One that is not, any more, on the day or what the
// booking says is left out: the roster is about to lose it.
func (b *builder) visits(ctx context.Context, days ...Day) ([]Appointment, error) {
	var keys []cache.Key
	var of []civil.Date
	var booked []Booking
	for _, day := range days {
		for _, v := range day.Visits {
			keys = append(keys, b.key(visitClass, b.names.Appointment(v.ID)))
			of, booked = append(of, day.Date), append(booked, v)
		}
	}
	got, err := b.store.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var out []Appointment
	for i, e := range got {
		var a Appointment
		if e.State == cache.Miss || e.Negative || phi.Unmarshal(e.Value, &a) != nil {
			b.missing++
			continue
		}
		if a.Day != of[i] || a.Practice != b.practice || a.Patient != booked[i].Patient {
			b.stale = true
			continue
		}
		b.stale = b.stale || !valid(e)
		out = append(out, a)
	}
	return out, nil
}

// patients returns the cached records of those on the visits, by id. Old ones are better than none.
func (b *builder) patients(ctx context.Context, visits []Appointment) (map[phi.Text]Patient, error) {
	var keys []cache.Key
	for _, id := range patientsOf(visits) {
		keys = append(keys, b.key(patientClass, b.names.Patient(id)))
	}
	got, err := b.store.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read patients: %w", err)
	}
	out := make(map[phi.Text]Patient, len(got))
	for _, e := range got {
		var p Patient
		b.stale = b.stale || e.Negative && !valid(e) // in doubt is also that somebody does not exist
		if e.State != cache.Miss && !e.Negative && phi.Unmarshal(e.Value, &p) == nil {
			out[p.ID] = p
			b.stale = b.stale || !valid(e)
		}
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

// house returns what is known of the practice. A view does without what is not.
func (b *builder) house(ctx context.Context) (House, error) {
	r, err := b.store.House(ctx, b.tenant, b.practice)
	b.stale = b.stale || r.Stale
	return r.House, err
}

// keep caches the finished view under the tags of the refs, and of the practice, unless something of it is missing or in
// doubt.
func (b *builder) keep(ctx context.Context, k cache.Key, view any, parts ...phi.Ref) error {
	if b.stale || b.missing > 0 {
		return nil
	}
	item, err := documentItem(k, view, append(parts, b.names.Practice(b.practice))...)
	if err != nil {
		return err
	}
	// A refusal means that something changed meanwhile; this reader may use the view once, the next builds anew.
	if _, err := b.store.fillPart(ctx, b.grant, []cache.Item{item}); err != nil {
		return fmt.Errorf("fill %s: %w", k.Class.Name, err)
	}
	return nil
}

// unknown counts the rows whose patient's record is not known.
func unknown(rows []BoardRow) int {
	n := 0
	for _, row := range rows {
		if !row.Known {
			n++
		}
	}
	return n
}
