package practice

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Known is what is known of some days before the vendor is asked about them.
type Known struct {
	// Visits is how many visits each day has whose visits are known.
	Visits map[civil.Date]int
	// Near reports that at least one day was not read yet with all the days before it that one
	// call has room for.
	Near   bool
	starts []civil.Date // of the entries that reach into the days
}

// Began returns the earliest day, from first on, on which an entry begins that is known to reach
// into the days; the zero Date if there is none. A list that begins later may lack such an entry.
func (k Known) Began(first civil.Date) civil.Date {
	var began civil.Date
	for _, start := range k.starts {
		if start.Compare(first) >= 0 && (began.IsZero() || start.Compare(began) < 0) {
			began = start
		}
	}
	return began
}

// Busiest returns the number of visits of the day that has most.
func (k Known) Busiest() int {
	most := 0
	for _, n := range k.Visits {
		most = max(most, n)
	}
	return most
}

// Known returns what is known of days.
func (s *Store) Known(ctx context.Context, t tenant.ID, practice string, days []civil.Date) (Known, error) {
	sc := s.scope(t, practice)
	refs := make([]phi.Ref, len(days))
	for i, d := range days {
		refs[i] = sc.names.Day(practice, d)
	}
	seen, err := readLastSeen[daySeen](ctx, sc, refs)
	if err != nil {
		return Known{}, err
	}
	out := Known{Visits: make(map[civil.Date]int, len(days))}
	for i, d := range days {
		was := seen[i].facts
		out.Near = out.Near || !seen[i].known || was.Near
		if !seen[i].known {
			continue
		}
		out.Visits[d] = len(was.Visits)
		for _, key := range was.Visits {
			_, occurrence := splitKey(key)
			if _, row := splitOccurrence(occurrence); row != "" {
				out.starts = append(out.starts, startOf(row))
			}
		}
	}
	return out, nil
}
