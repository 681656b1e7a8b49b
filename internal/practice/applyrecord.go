package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ApplyPatient caches a patient's record that was read under the grant, and reports whether it differs from what was
// known, or was no longer in the cache. Errors are as in ApplyDay.
func (s *Store) ApplyPatient(ctx context.Context, t tenant.ID, p Patient, since cache.Grant) (bool, error) {
	n := s.Names(t)
	return s.apply(ctx, t, record{
		key: cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(p.ID)}, document: p, since: since,
		cascade: n.Cascade(Record{Noun: NounPatient, ID: p.ID}), event: events.PatientChanged,
	})
}

// ForgetPatient remembers that the vendor knows no such patient.
func (s *Store) ForgetPatient(ctx context.Context, t tenant.ID, id phi.Text, since cache.Grant) error {
	n := s.Names(t)
	_, err := s.apply(ctx, t, record{
		key: cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(id)}, since: since,
		cascade: n.Cascade(Record{Noun: NounPatient, ID: id}), event: events.PatientChanged,
	})
	return err
}

// ApplyDirectory caches a practice's directory, and reports and fails as ApplyPatient does.
func (s *Store) ApplyDirectory(ctx context.Context, t tenant.ID, d Directory, since cache.Grant) (bool, error) {
	n := s.Names(t)
	return s.apply(ctx, t, record{
		key: cache.Key{Tenant: t, Class: directoryClass, ID: n.Directory(d.Practice)}, document: d, practice: d.Practice,
		since:   since,
		cascade: n.Cascade(Record{Noun: NounDirectory, Practice: d.Practice}), event: events.DirectoryChanged,
	})
}

// record is one document with a shadow of its own. A nil document is one that does not exist; an empty practice means
// that it belongs to the whole account.
type record struct {
	key      cache.Key
	document any
	practice string
	since    cache.Grant
	cascade  []cache.Tag
	event    string
}

func (s *Store) apply(ctx context.Context, t tenant.ID, r record) (changed bool, err error) {
	seal, n := s.keys.For(t.String()), s.Names(t)
	was, err := readShadow[recordShadow](ctx, s.cache, seal, t, r.key.ID)
	if err != nil {
		return false, err
	}
	hash, err := Hash(seal, r.document)
	if err != nil {
		return false, fmt.Errorf("hash %s: %w", r.key.Class.Name, err)
	}
	lost, err := s.lost(ctx, r)
	if err != nil {
		return false, err
	}
	grant := r.since
	if !was.known || was.facts.Hash != hash || lost {
		next, err := was.next(seal, &recordShadow{Hash: hash})
		if err != nil {
			return false, err
		}
		body := events.Body{Kind: r.event, Refs: []phi.Ref{r.key.ID}}
		if r.practice != "" {
			body.Practice = n.Practice(r.practice)
		}
		change := cache.Change{
			Tags: r.cascade, Shadows: []cache.Shadow{next}, Event: body, Loaded: r.since,
			Unmoved: map[cache.Tag]uint64{cache.TagOf(r.key.ID): r.since.Stamp},
		}
		if r.practice != "" {
			change.Unmoved[cache.TagOf(body.Practice)] = r.since.Stamp
		}
		grant, err = s.invalidate(ctx, t, change)
		if err != nil {
			return false, fmt.Errorf("apply %s: %w", r.key.Class.Name, err)
		}
		changed = true
	}
	item := cache.Item{Key: r.key, Value: cache.Value{Negative: true, Tags: []cache.Tag{cache.TagOf(r.key.ID)}}}
	if r.document != nil {
		tags := []phi.Ref{r.key.ID}
		if r.practice != "" {
			tags = append(tags, n.Practice(r.practice))
		}
		if item, err = documentItem(r.key, r.document, tags...); err != nil {
			return false, err
		}
	}
	return changed, s.fillAll(ctx, grant, []cache.Item{item})
}

// lost reports whether there is a document and no copy of it. Views that were built meanwhile do without it, and must be
// told although it is what it was.
func (s *Store) lost(ctx context.Context, r record) (bool, error) {
	if r.document == nil {
		return false, nil
	}
	e, err := s.cache.Peek(ctx, r.key)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", r.key.Class.Name, err)
	}
	return e.State == cache.Miss || e.Negative, nil
}
