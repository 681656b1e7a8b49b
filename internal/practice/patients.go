package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Fetch is what the vendor has to be asked for of a day's patients, without repeats.
type Fetch struct {
	// Missing are those whose records are not in the cache, are no longer valid, or are old and kept by another practice.
	// Only a call each brings them.
	Missing []phi.Text
	// Aged are those whose records are valid and merely old: what changed since may come for all of them in one list.
	Aged []phi.Text
}

// PatientsToFetch returns the patients of a practice's day whose records are not in the cache, or not as good as they
// might be. A record that the practice's roll confirms is good. A patient who the vendor says does not exist counts as
// known until that answer is old.
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
		case e.State != cache.Soft || phi.Unmarshal(e.Value, &p) != nil || p.Practice != practice:
			f.Missing = append(f.Missing, ids[i]) // what another practice keeps is in no list of this one
		case confirmation.State != cache.Fresh || !confirmed(e, confirmation, p, practice):
			f.Aged = append(f.Aged, ids[i])
		}
	}
	return f, nil
}
