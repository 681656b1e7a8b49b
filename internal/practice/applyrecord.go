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

// ApplyPatients caches any number of patients' records that were read under the grant, and returns
// the ids of those that differ from what was known, or were no longer in the cache. With an error
// it returns the ids whose change was committed before. Errors are as in ApplyDay; a conflict about
// one record concerns the hundred around it.
func (s *Store) ApplyPatients(ctx context.Context, t tenant.ID, since cache.Grant, all ...Patient) ([]phi.Text, error) {
	seen := make(map[phi.Text]bool, len(all))
	var changed []phi.Text
	for part := range slices.Chunk(all, maxChanges) {
		var docs []document
		for _, p := range part {
			if !seen[p.ID] {
				seen[p.ID] = true
				docs = append(docs, document{patientRecord(p.ID), p})
			}
		}
		got, err := s.scope(t, "").apply(ctx, since, events.PatientChanged, docs...)
		for _, d := range got {
			changed = append(changed, d.ID)
		}
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// ApplyPatient is ApplyPatients for one record, and reports whether it changed.
func (s *Store) ApplyPatient(ctx context.Context, t tenant.ID, p Patient, since cache.Grant) (bool, error) {
	changed, err := s.ApplyPatients(ctx, t, since, p)
	return len(changed) > 0, err
}

// patientRecord has no practice: the practices of an account share its patients.
func patientRecord(id phi.Text) Record { return Record{Noun: NounPatient, ID: id} }

// ForgetPatient records that the vendor knows no such patient. During an outage the vendor
// sometimes reports that of existing patients too, so a first such answer about a known patient is
// doubted: the record stays and is called stale, and the vendor must be asked a second time. The
// same answer is then applied. An answer is sure if the vendor states what became of the patient;
// it is applied at once, and holds for a day.
func (s *Store) ForgetPatient(ctx context.Context, t tenant.ID, id phi.Text, sure bool, since cache.Grant) (doubtful bool, err error) {
	sc, none := s.scope(t, ""), document{Record: patientRecord(id)}
	was, err := readLastSeenOf[recordSeen](ctx, sc, sc.names.Patient(id))
	if err != nil {
		return false, err
	}
	absent, err := contentHash(sc.names.sealer, nil)
	if err != nil {
		return false, fmt.Errorf("hash absent patient: %w", err)
	}
	if sure {
		return false, sc.forgetForADay(ctx, since, none)
	}
	if !was.known || was.facts.Hash == absent || was.facts.Doubt {
		_, err := sc.apply(ctx, since, events.PatientChanged, none)
		return false, err
	}
	next, err := was.replace(sc.names.sealer, &recordSeen{Hash: was.facts.Hash, Doubt: true})
	if err != nil {
		return false, err
	}
	c := change{scope: sc, kind: events.PatientChanged, since: since, lastSeen: []cache.LastSeenUpdate{next}}
	c.add(sc.names, none.Record)
	if _, err := c.commit(ctx); err != nil {
		return false, fmt.Errorf("doubt patient: %w", err)
	}
	return true, nil
}

// forgetForADay records that a patient does not exist, and keeps that longer than an absence that
// the vendor may revoke at any time. What changes the record ends it.
func (sc scope) forgetForADay(ctx context.Context, since cache.Grant, none document) error {
	u := &recordUpdate{scope: sc, since: since, kind: events.PatientChanged}
	if err := u.compare(ctx, []document{none}); err != nil {
		return err
	}
	grant, err := u.commit(ctx)
	if err != nil {
		return fmt.Errorf("apply %s: %w", none.Noun, err)
	}
	if err := sc.fillChanged(ctx, since, grant, none); err != nil {
		return err
	}
	name := sc.names.Patient(none.ID)
	item, err := encode(sc.key(mergedClass, name), struct{}{}, name)
	if err != nil {
		return err
	}
	if _, err := sc.store.cache.FillMany(ctx, grant, []cache.Item{item}); err != nil {
		return fmt.Errorf("fill absence: %w", err)
	}
	return nil
}

// PatientAbsent reports whether the vendor's last answer about a patient was that it does not
// exist, however long ago.
func (s *Store) PatientAbsent(ctx context.Context, t tenant.ID, id phi.Text) (bool, error) {
	sc := s.scope(t, "")
	was, err := readLastSeenOf[recordSeen](ctx, sc, sc.names.Patient(id))
	if err != nil || !was.known {
		return false, err
	}
	absent, err := contentHash(sc.names.sealer, nil)
	if err != nil {
		return false, fmt.Errorf("hash absent patient: %w", err)
	}
	return was.facts.Hash == absent, nil
}

// ConfirmPatients records that every change that the vendor made to the practice's patients before
// the grant was drawn has been applied.
func (s *Store) ConfirmPatients(ctx context.Context, t tenant.ID, practice string, since cache.Grant) error {
	return s.scope(t, practice).fill(ctx, since, document{
		Record{Noun: NounPatientsConfirmation, Practice: practice}, PatientsConfirmation{Practice: practice},
	})
}

// ApplyDirectory caches a practice's providers and reports whether they differ from what was known,
// or were no longer in the cache. Errors are as in ApplyDay.
func (s *Store) ApplyDirectory(ctx context.Context, t tenant.ID, d Directory, since cache.Grant) (bool, error) {
	return s.applyOne(ctx, t, since, document{Record{Noun: NounDirectory, Practice: d.Practice}, d})
}

// ApplyLocations is ApplyDirectory for a practice's places.
func (s *Store) ApplyLocations(ctx context.Context, t tenant.ID, l Locations, since cache.Grant) (bool, error) {
	return s.applyOne(ctx, t, since, document{Record{Noun: NounLocations, Practice: l.Practice}, l})
}

// ApplyPractices is ApplyDirectory for the account's practices.
func (s *Store) ApplyPractices(ctx context.Context, t tenant.ID, p Practices, since cache.Grant) (bool, error) {
	return s.applyOne(ctx, t, since, document{Record{Noun: NounPractices}, p})
}

func (s *Store) applyOne(ctx context.Context, t tenant.ID, since cache.Grant, d document) (bool, error) {
	changed, err := s.scope(t, d.Practice).apply(ctx, since, events.DirectoryChanged, d)
	return len(changed) > 0, err
}

// apply caches documents, at most maxChanges, that were read under the grant, and returns those
// that changed.
func (sc scope) apply(ctx context.Context, since cache.Grant, kind string, docs ...document) ([]document, error) {
	if len(docs) == 0 {
		return nil, nil
	}
	u := &recordUpdate{scope: sc, since: since, kind: kind}
	if err := u.compare(ctx, docs); err != nil {
		return nil, err
	}
	grant, err := u.commit(ctx)
	if err != nil {
		return nil, fmt.Errorf("apply %s: %w", docs[0].Noun, err)
	}
	if err := sc.fillChanged(ctx, since, grant, u.changed...); err != nil {
		return u.changed, err
	}
	return u.changed, sc.fill(ctx, since, u.same...)
}

// recordUpdate is one answer about records of one noun, on its way into the cache.
type recordUpdate struct {
	scope
	since cache.Grant
	kind  string

	changed  []document
	lastSeen []cache.LastSeenUpdate // of the changed
	lost     []int                  // indexes of changed documents without a copy, or with a copy that records that they do not exist
	same     []document
}

// compare finds the documents that differ from what was known, or that have no copy: views that
// were built meanwhile lack them, and must be invalidated although the documents have not changed.
func (u *recordUpdate) compare(ctx context.Context, docs []document) error {
	seal := u.names.sealer
	keys, refs := make([]cache.Key, len(docs)), make([]phi.Ref, len(docs))
	for i, d := range docs {
		keys[i] = u.documentKey(d.Record)
		refs[i] = keys[i].ID
	}
	before, err := readLastSeen[recordSeen](ctx, u.scope, refs)
	if err != nil {
		return err
	}
	copies, err := u.store.peekAll(ctx, keys)
	if err != nil {
		return fmt.Errorf("read %s: %w", keys[0].Class.Name, err)
	}
	for i, d := range docs {
		hash, err := contentHash(seal, d.content)
		if err != nil {
			return fmt.Errorf("hash %s: %w", d.Noun, err)
		}
		lost := d.content != nil && !exists(copies[i])
		if was := before[i]; was.known && was.facts == (recordSeen{Hash: hash}) && !lost {
			u.same = append(u.same, d)
			continue
		}
		next, err := before[i].replace(seal, &recordSeen{Hash: hash})
		if err != nil {
			return err
		}
		if lost {
			u.lost = append(u.lost, len(u.changed))
		}
		u.changed, u.lastSeen = append(u.changed, d), append(u.lastSeen, next)
	}
	return nil
}

// commit commits the changes, if there are any, and returns the grant under which the changed
// documents may be filled.
//
// Lost documents are filled ahead of the change. A view that is built after the change and before
// its documents are filled would otherwise lack them, and nothing would invalidate it later; like
// this it finds documents that are in doubt, and is not stored.
func (u *recordUpdate) commit(ctx context.Context) (cache.Grant, error) {
	if len(u.changed) == 0 {
		return u.since, nil
	}
	if err := u.doubtLost(ctx); err != nil {
		return cache.Grant{}, err
	}
	var lost []document
	for _, i := range u.lost {
		lost = append(lost, u.changed[i])
	}
	if err := u.fill(ctx, u.since, lost...); err != nil {
		return cache.Grant{}, err
	}
	c := change{scope: u.scope, kind: u.kind, since: u.since, lastSeen: u.lastSeen}
	for _, d := range u.changed {
		c.add(u.names, d.Record)
	}
	return c.commit(ctx)
}

// doubtLost replaces the last-seen records of lost documents with empty ones. Once there is a copy
// again, nothing else would show the next read that views were stored without it, should this
// update fail or be refused.
func (u *recordUpdate) doubtLost(ctx context.Context) error {
	c := change{scope: u.scope, kind: u.kind, since: u.since}
	var of []int
	for _, i := range u.lost {
		was := u.lastSeen[i]
		if was.Expect == nil {
			continue
		}
		next, err := lastSeen[recordSeen]{name: was.Name, raw: was.Expect}.replace(u.names.sealer, &recordSeen{})
		if err != nil {
			return err
		}
		c.lastSeen, of = append(c.lastSeen, next), append(of, i)
	}
	if len(of) == 0 {
		return nil
	}
	if _, err := c.commit(ctx); err != nil {
		return fmt.Errorf("doubt lost records: %w", err)
	}
	for j, i := range of {
		u.lastSeen[i].Expect = c.lastSeen[j].Next
	}
	return nil
}
