package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Fetch is what must be read of a day's patients, without repeats.
type Fetch struct {
	// Missing are the patients whose records are not in the cache, are invalid, or are old and kept
	// by another practice. Each of them needs a call of its own.
	Missing []phi.Text
	// Aged are the patients whose records are valid and merely old: one list of changes can confirm
	// all of them.
	Aged []phi.Text
}

// PatientsToFetch returns the patients of a practice's day whose records are not in the cache,
// invalid or old. A record that the practice's PatientsConfirmation confirms is not old. A patient
// that the vendor reported as not existing counts as known until that answer is old.
func (s *Store) PatientsToFetch(ctx context.Context, t tenant.ID, practice string, visits []Appointment) (Fetch, error) {
	n := s.Names(t)
	ids := patientsOf(visits)
	keys := []cache.Key{{Tenant: t, Class: patientsConfirmationClass, ID: n.PatientsConfirmation(practice)}}
	for _, id := range ids {
		keys = append(keys, cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(id)})
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return Fetch{}, fmt.Errorf("read patients: %w", err)
	}
	var f Fetch
	confirmation := got[0]
	for i, e := range got[1:] {
		var p Patient
		switch {
		case e.State == cache.Fresh:
		case e.State != cache.Soft || !restored(ctx, e.Class(), e.Value, &p) || p.Practice != practice:
			f.Missing = append(f.Missing, ids[i]) // no list of this practice has the records that another one keeps
		case confirmation.State != cache.Fresh || !confirmed(e, confirmation, p, practice):
			f.Aged = append(f.Aged, ids[i])
		}
	}
	f.Missing, err = s.notMerged(ctx, t, f.Missing)
	return f, err
}

// notMerged returns the patients of which the vendor has not stated within a day that they do not
// exist.
func (s *Store) notMerged(ctx context.Context, t tenant.ID, ids []phi.Text) ([]phi.Text, error) {
	sc := s.scope(t, "")
	keys := make([]cache.Key, len(ids))
	for i, id := range ids {
		keys[i] = sc.key(mergedClass, sc.names.Patient(id))
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read absent patients: %w", err)
	}
	var out []phi.Text
	for i, e := range got {
		if !valid(e) {
			out = append(out, ids[i])
		}
	}
	return out, nil
}
