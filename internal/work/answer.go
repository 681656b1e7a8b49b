package work

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// answer is one answer of the vendor about a range of days, on its way into the cache.
type answer struct {
	Deps
	practiceScope
	window[tebra.Appointment]
	visits      []practice.Appointment
	setAside    setAside
	since       cache.Grant
	ownVersions map[cache.Tag]uint64 // raised by earlier days of this answer
	today       civil.Date
	doubtful    bool
	reread      []civil.Date // days outside the window that are in doubt
}

// sort maps the rows. A row of another practice invalidates the whole answer: the vendor answered a
// different question, so no row can be trusted. Rows that cannot be shown are set aside: those
// visits exist, and must not count as gone.
func (a *answer) sort() error {
	rows, err := practice.DistinctRows(a.rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		visit, err := practice.FromAppointment(a.id, row, a.Zone)
		switch {
		case errors.Is(err, practice.ErrForeign):
			return fmt.Errorf("map appointments: %w", err)
		case err != nil:
			a.setAside.add(codes.Of(err), row.Start)
		default:
			a.visits = append(a.visits, visit)
		}
	}
	for _, row := range a.aside {
		a.setAside.add(codeOf(row), row.Start)
	}
	return nil
}

func (a *answer) apply(ctx context.Context, on civil.Date) error {
	changed, err := a.Store.ApplyDay(ctx, a.tenant, practice.Answer{
		Practice: a.id, Date: on, From: a.from, To: a.to, Seen: a.seen, Visits: a.visits, Partial: a.partial, SetAside: a.setAside.of(on),
		Since: a.since, OwnVersions: a.ownVersions, Question: practice.Question{Name: a.name, Confirmed: math.MaxUint64},
	})
	if err != nil {
		return err
	}
	a.doubtful = a.doubtful || changed.Doubtful
	a.reread = append(a.reread, changed.Reread...)
	follow, err := a.patients(ctx, on)
	if err != nil {
		return err
	}
	if changed.Any() {
		follow = append(follow, a.board(a.practiceScope, on)...)
	}
	views, err := a.views(ctx, a.practiceScope, on, changed.Patients, changed.Providers)
	if err != nil {
		return err
	}
	return a.demand(ctx, a.practiceScope, append(follow, views...)...)
}

// patients returns the demands for the records of a day's patients, for today and tomorrow only:
// boards of other days are seldom read, and show the names that the visits carry.
func (a *answer) patients(ctx context.Context, on civil.Date) ([]tasks.Args, error) {
	if on.Compare(a.today) < 0 || on.Compare(a.today.Add(1)) > 0 {
		return nil, nil
	}
	var visits []practice.Appointment
	for _, v := range a.visits {
		if v.Covers(on) {
			visits = append(visits, v)
		}
	}
	f, err := a.Store.PatientsToFetch(ctx, a.tenant, a.id, visits)
	if err != nil {
		return nil, err
	}
	return refetch(a.practiceScope, f), nil
}
