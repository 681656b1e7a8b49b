package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ApplyPatients caches patients' records that were read under the grant, any number, and returns the ids of those that
// differ from what was known, or were no longer in the cache: with an error, those whose change was told before it. Errors
// are as in ApplyDay; a conflict about one of them concerns the hundred around it.
func (s *Store) ApplyPatients(ctx context.Context, t tenant.ID, since cache.Grant, all ...Patient) ([]phi.Text, error) {
	seen := make(map[phi.Text]bool, len(all))
	var changed []phi.Text
	for part := range slices.Chunk(all, maxChanges) {
		var records []record
		for _, p := range part {
			if !seen[p.ID] {
				seen[p.ID] = true
				records = append(records, s.patient(t, p.ID, p))
			}
		}
		got, err := s.apply(ctx, t, since, events.Body{Kind: events.PatientChanged}, records...)
		for _, r := range got {
			changed = append(changed, r.of)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// ApplyPatient is ApplyPatients for one, and reports whether the record changed.
func (s *Store) ApplyPatient(ctx context.Context, t tenant.ID, p Patient, since cache.Grant) (bool, error) {
	changed, err := s.ApplyPatients(ctx, t, since, p)
	return len(changed) > 0, err
}

// patient is the record of a patient; document is nil when the vendor knows none.
func (s *Store) patient(t tenant.ID, id phi.Text, document any) record {
	n := s.Names(t)
	return record{
		key: cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(id)}, of: id, document: document,
		cascade: n.Cascade(Record{Noun: NounPatient, ID: id}),
	}
}

// ForgetPatient remembers that the vendor knows no such patient. A vendor in trouble says so of patients whom it knows, so
// of one who was known it is doubted the first time: the record stays, called stale, and the vendor has to be asked a
// second time, and will be believed if it says the same.
func (s *Store) ForgetPatient(ctx context.Context, t tenant.ID, id phi.Text, since cache.Grant) (doubtful bool, err error) {
	r := s.patient(t, id, nil)
	seal := s.keys.For(t.String())
	was, err := readShadow[recordShadow](ctx, s.cache, seal, t, r.key.ID)
	if err != nil {
		return false, err
	}
	none, err := Hash(seal, nil)
	if err != nil {
		return false, fmt.Errorf("hash nobody: %w", err)
	}
	if !was.known || was.facts.Hash == none || was.facts.Doubt {
		_, err := s.apply(ctx, t, since, events.Body{Kind: events.PatientChanged}, r)
		return false, err
	}
	next, err := was.next(seal, &recordShadow{Hash: was.facts.Hash, Doubt: true})
	if err != nil {
		return false, err
	}
	_, err = s.invalidate(ctx, t, cache.Change{
		Tags: r.cascade, LastSeen: []cache.LastSeenUpdate{next}, BasedOn: since,
		Event:         events.Body{Kind: events.PatientChanged, Refs: []phi.Ref{r.key.ID}},
		Preconditions: map[cache.Tag]uint64{cache.TagOf(r.key.ID): since.Stamp},
	})
	if err != nil {
		return false, fmt.Errorf("doubt patient: %w", err)
	}
	return true, nil
}

// ConfirmPatients says that all that the vendor changed of the practice's patients before the grant was drawn has been
// applied.
func (s *Store) ConfirmPatients(ctx context.Context, t tenant.ID, practice string, since cache.Grant) error {
	n := s.Names(t)
	item, err := documentItem(cache.Key{Tenant: t, Class: rollClass, ID: n.Roll(practice)}, Roll{Practice: practice},
		n.Roll(practice), n.Practice(practice))
	if err != nil {
		return err
	}
	return s.fillAll(ctx, since, []cache.Item{item})
}

// ApplyDirectory caches a practice's providers and reports whether they differ from what was known, or were no longer in
// the cache. Errors are as in ApplyDay.
func (s *Store) ApplyDirectory(ctx context.Context, t tenant.ID, d Directory, since cache.Grant) (bool, error) {
	n := s.Names(t)
	return s.applyOne(ctx, t, since, d.Practice, record{
		key: cache.Key{Tenant: t, Class: directoryClass, ID: n.Directory(d.Practice)}, document: d,
		cascade: n.Cascade(Record{Noun: NounDirectory, Practice: d.Practice}),
	})
}

// ApplyLocations does with a practice's places as ApplyDirectory does with its providers.
func (s *Store) ApplyLocations(ctx context.Context, t tenant.ID, l Locations, since cache.Grant) (bool, error) {
	n := s.Names(t)
	return s.applyOne(ctx, t, since, l.Practice, record{
		key: cache.Key{Tenant: t, Class: locationsClass, ID: n.Locations(l.Practice)}, document: l,
		cascade: n.Cascade(Record{Noun: NounLocations, Practice: l.Practice}),
	})
}

// ApplyPractices does with the account's practices as ApplyDirectory does with a practice's providers.
func (s *Store) ApplyPractices(ctx context.Context, t tenant.ID, p Practices, since cache.Grant) (bool, error) {
	n := s.Names(t)
	return s.applyOne(ctx, t, since, "", record{
		key: cache.Key{Tenant: t, Class: practicesClass, ID: n.Practices()}, document: p,
		cascade: n.Cascade(Record{Noun: NounPractices}),
	})
}

// applyOne is apply for what belongs to a practice's directory; an empty practice means the whole account.
func (s *Store) applyOne(ctx context.Context, t tenant.ID, since cache.Grant, practice string, r record) (bool, error) {
	body := events.Body{Kind: events.DirectoryChanged}
	if practice != "" {
		body.Practice = s.Names(t).Practice(practice)
	}
	changed, err := s.apply(ctx, t, since, body, r)
	return len(changed) > 0, err
}

// record is one document with a shadow of its own. A nil document is one that does not exist.
type record struct {
	key      cache.Key
	of       phi.Text // whose, where that is asked for
	document any
	cascade  []cache.Tag
	lost     bool // there is no copy of it, or one that says that it does not exist
}

// apply caches records, at most maxChanges, that were read under the grant, and returns those that changed. They are of
// the body's practice, or of the whole account.
func (s *Store) apply(ctx context.Context, t tenant.ID, since cache.Grant, body events.Body, records ...record) ([]record, error) {
	if len(records) == 0 {
		return nil, nil
	}
	changed, change, err := s.compareRecords(ctx, t, records)
	if err != nil {
		return nil, err
	}
	grant := since
	if len(changed) > 0 {
		if err := s.doubtLost(ctx, t, since, body, &change, changed); err != nil {
			return nil, err
		}
		if err := s.fillLost(ctx, since, body.Practice, changed); err != nil {
			return nil, err
		}
		change.BasedOn, change.Event, change.Preconditions = since, body, map[cache.Tag]uint64{}
		for _, r := range changed {
			change.Event.Refs = append(change.Event.Refs, r.key.ID)
			change.Preconditions[cache.TagOf(r.key.ID)] = since.Stamp
		}
		if len(changed) > events.MaxRefs {
			change.Event.Refs = nil // "some of them"
		}
		if body.Practice != "" {
			change.Preconditions[cache.TagOf(body.Practice)] = since.Stamp
		}
		if grant, err = s.invalidate(ctx, t, change); err != nil {
			return nil, fmt.Errorf("apply %s: %w", records[0].key.Class.Name, err)
		}
	}
	var fresh, same []cache.Item
	for _, r := range records {
		item, err := r.item(body.Practice)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(changed, func(c record) bool { return c.key == r.key }) {
			fresh = append(fresh, item)
		} else {
			same = append(same, item)
		}
	}
	if err := s.fillAll(ctx, grant, fresh); err != nil {
		return changed, err
	}
	return changed, s.fillAll(ctx, since, same)
}

// doubtLost lets go of what is remembered of records whose copies were lost. Once there is a copy again, nothing else would
// tell the next look at the vendor that views were kept without it, should this change fail or be refused.
func (s *Store) doubtLost(ctx context.Context, t tenant.ID, since cache.Grant, body events.Body, change *cache.Change, changed []record) error {
	first := cache.Change{Event: body, BasedOn: since}
	var of []int
	for i, r := range changed {
		was := change.LastSeen[i]
		if !r.lost || was.Expect == nil {
			continue
		}
		next, err := shadow[recordShadow]{name: was.Name, raw: was.Expect}.next(s.keys.For(t.String()), &recordShadow{})
		if err != nil {
			return err
		}
		first.LastSeen, of = append(first.LastSeen, next), append(of, i)
	}
	if len(of) == 0 {
		return nil
	}
	if _, err := s.invalidate(ctx, t, first); err != nil {
		return fmt.Errorf("let go of lost records: %w", err)
	}
	for j, i := range of {
		change.LastSeen[i].Expect = first.LastSeen[j].Next
	}
	return nil
}

// fillLost caches the records of which there is no copy ahead of the change that tells of them. A view that is put together
// after the change and before its documents are filled would otherwise do without them, and nothing would tell it later;
// as it is, it finds documents that are in doubt, and is not kept.
func (s *Store) fillLost(ctx context.Context, since cache.Grant, practice phi.Ref, changed []record) error {
	var items []cache.Item
	for _, r := range changed {
		if !r.lost {
			continue
		}
		item, err := r.item(practice)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	return s.fillAll(ctx, since, items)
}

// compareRecords returns the records that differ from what was known, or of which there is no copy: views that were built
// meanwhile do without it, and must be told although it is what it was. change has their tags and shadows.
func (s *Store) compareRecords(ctx context.Context, t tenant.ID, records []record) (changed []record, change cache.Change, err error) {
	seal := s.keys.For(t.String())
	refs, keys := make([]phi.Ref, len(records)), make([]cache.Key, len(records))
	for i, r := range records {
		refs[i], keys[i] = r.key.ID, r.key
	}
	before, err := readShadows[recordShadow](ctx, s.cache, seal, t, refs)
	if err != nil {
		return nil, change, err
	}
	have, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, change, fmt.Errorf("read %s: %w", keys[0].Class.Name, err)
	}
	for i, r := range records {
		hash, err := Hash(seal, r.document)
		if err != nil {
			return nil, change, fmt.Errorf("hash %s: %w", r.key.Class.Name, err)
		}
		r.lost = r.document != nil && (have[i].State == cache.Miss || have[i].Negative)
		if was := before[i]; was.known && was.facts == (recordShadow{Hash: hash}) && !r.lost {
			continue
		}
		next, err := before[i].next(seal, &recordShadow{Hash: hash})
		if err != nil {
			return nil, change, err
		}
		changed = append(changed, r)
		change.Tags, change.LastSeen = append(change.Tags, r.cascade...), append(change.LastSeen, next)
	}
	change.Tags = distinct(change.Tags)
	return changed, change, nil
}

func (r record) item(practice phi.Ref) (cache.Item, error) {
	if r.document == nil {
		return cache.Item{Key: r.key, Value: cache.Value{Negative: true, Tags: []cache.Tag{cache.TagOf(r.key.ID)}}}, nil
	}
	tags := []phi.Ref{r.key.ID}
	if practice != "" {
		tags = append(tags, practice)
	}
	return documentItem(r.key, r.document, tags...)
}
