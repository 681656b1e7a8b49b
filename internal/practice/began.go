package practice

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Began returns the first day on which an entry starts that is known to reach into one of the days
// or the day before, or the first of the days. A list that begins later may lack entries of those
// days.
func (s *Store) Began(ctx context.Context, t tenant.ID, practice string, from, to civil.Date) (civil.Date, error) {
	sc := s.scope(t, practice)
	var refs []phi.Ref
	for _, d := range civil.Range(from.Add(-1), to) {
		refs = append(refs, sc.names.Day(practice, d))
	}
	days, err := readLastSeen[daySeen](ctx, sc, refs)
	if err != nil {
		return civil.Date{}, err
	}
	began := from
	for _, day := range days {
		for _, key := range day.facts.Visits {
			_, occurrence := splitKey(key)
			if _, row := splitOccurrence(occurrence); row != "" {
				began = civil.Min(began, startOf(row))
			}
		}
	}
	return began, nil
}
