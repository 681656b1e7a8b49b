package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// A shadow is what is remembered of a record after its cached copy is gone: the hash by which "unchanged" is known, and
// the facts by which its collections are found. Shadows are sealed, and change only together with the tags that they
// explain (cache.Change).

type visitShadow struct {
	Hash      phi.Ref    `json:"hash"`
	Practice  string     `json:"practice"`
	Day       civil.Date `json:"day"`
	Patient   phi.Text   `json:"patient,omitzero"`
	Providers []string   `json:"providers,omitempty"`
}

func shadowOf(a *Appointment, hash phi.Ref) *visitShadow {
	return &visitShadow{Hash: hash, Practice: a.Practice, Day: a.Day, Patient: a.Patient, Providers: a.Providers()}
}

// record is the appointment as it was remembered.
func (v *visitShadow) record(id phi.Text) Record {
	return Record{
		Noun: NounAppointment, ID: id, Practice: v.Practice, Day: v.Day, Patient: v.Patient, Providers: v.Providers,
	}
}

func (v *visitShadow) booking(id phi.Text) Booking {
	return Booking{ID: id, Patient: v.Patient, Providers: v.Providers}
}

type dayShadow struct {
	Visits []phi.Text `json:"visits"`
	// Doubt is the hash of a roster that was less than half as large as this one. It is believed when it comes again.
	Doubt phi.Ref `json:"doubt,omitzero"`
}

type recordShadow struct {
	Hash phi.Ref `json:"hash"`
	// Doubt says that the vendor answered once that the record is gone. It is believed when it says so again.
	Doubt bool `json:"doubt,omitzero"`
}

// shadow is one remembered record: raw as it lies in Redis (nil: none), and opened.
type shadow[T any] struct {
	name  string
	raw   []byte
	facts T
	known bool
}

// keep is how long a record is remembered after its last change. What is looked at later than that counts as new, which
// costs one invalidation.
const keep = 30 * 24 * time.Hour

// next is the compare-and-set that replaces a shadow with facts, or removes it when facts is nil.
func (s shadow[T]) next(seal *phi.Sealer, facts *T) (cache.LastSeenUpdate, error) {
	out := cache.LastSeenUpdate{Name: s.name, Expect: s.raw, TTL: keep}
	if facts == nil {
		return out, nil
	}
	data, err := phi.Marshal(facts)
	if err != nil {
		return cache.LastSeenUpdate{}, fmt.Errorf("encode shadow: %w", err)
	}
	out.Next, err = seal.Seal(data, "shadow", s.name)
	return out, err
}

// readShadows reads many at once. One that does not open counts as unknown, which makes its record look changed: that
// costs an invalidation and heals it.
func readShadows[T any](ctx context.Context, c *cache.Cache, seal *phi.Sealer, t tenant.ID, refs []phi.Ref) ([]shadow[T], error) {
	if len(refs) == 0 {
		return nil, nil
	}
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = string(r)
	}
	raw, err := c.LastSeen(ctx, t, names...)
	if err != nil {
		return nil, fmt.Errorf("read shadows: %w", err)
	}
	out := make([]shadow[T], len(names))
	for i, name := range names {
		out[i] = shadow[T]{name: name, raw: raw[i]}
		if raw[i] == nil {
			continue
		}
		data, err := seal.Open(raw[i], "shadow", name)
		if err == nil {
			out[i].known = phi.Unmarshal(data, &out[i].facts) == nil
		}
	}
	return out, nil
}

func readShadow[T any](ctx context.Context, c *cache.Cache, seal *phi.Sealer, t tenant.ID, ref phi.Ref) (shadow[T], error) {
	all, err := readShadows[T](ctx, c, seal, t, []phi.Ref{ref})
	if err != nil {
		return shadow[T]{}, err
	}
	return all[0], nil
}

// recall reads the roster that is cached, valid or not: a shadow may end before the views that show its visit.
func (d *dayChange) recall(ctx context.Context) error {
	a := d.answer
	e, err := d.store.cache.Peek(ctx, cache.Key{Tenant: d.tenant, Class: dayClass, ID: d.names.Day(a.Practice, a.Date)})
	if err != nil {
		return fmt.Errorf("read day: %w", err)
	}
	var day Day
	if e.State != cache.Miss && !e.Negative && phi.Unmarshal(e.Value, &day) == nil {
		d.listed = make(map[phi.Text]*Booking, len(day.Visits))
		for i := range day.Visits {
			d.listed[day.Visits[i].ID] = &day.Visits[i]
		}
	}
	return nil
}
