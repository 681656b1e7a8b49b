package practice

import (
	"context"
	"fmt"
	"slices"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// VisitDays returns those of the days on which the practice has a visit of the patient, according
// to the vendor's last answer about each day.
func (s *Store) VisitDays(ctx context.Context, t tenant.ID, practice string, patient phi.Text, days []civil.Date) ([]civil.Date, error) {
	sc := s.scope(t, practice)
	refs := make([]phi.Ref, len(days))
	for i, on := range days {
		refs[i] = sc.names.Day(practice, on)
	}
	rosters, err := readLastSeen[daySeen](ctx, sc, refs)
	if err != nil {
		return nil, fmt.Errorf("read rosters: %w", err)
	}
	var all []phi.Ref
	for _, roster := range rosters {
		for _, key := range roster.facts.Visits {
			all = append(all, sc.names.Appointment(key))
		}
	}
	seen, err := readLastSeen[visitSeen](ctx, sc, all)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var out []civil.Date
	for i, on := range days {
		n := len(rosters[i].facts.Visits)
		if slices.ContainsFunc(seen[:n], func(v lastSeen[visitSeen]) bool { return v.facts.Patient == patient }) {
			out = append(out, on)
		}
		seen = seen[n:]
	}
	return out, nil
}
