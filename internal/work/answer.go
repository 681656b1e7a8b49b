package work

import (
	"context"
	"slices"

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
	named
	window[tebra.Appointment]
	visits      []practice.Appointment
	setAside    setAside
	lacking     []practice.Span    // of setAside
	unread      map[civil.Date]int // visits with values that could not be read
	before      practice.Known     // of the days
	far         bool               // the list fills one call
	since       cache.Grant
	ownVersions map[cache.Tag]uint64 // raised by earlier days of this answer
	today       civil.Date
	scope       practice.Scope
	doubtful    bool         // at least one day does not count yet
	unconfirmed bool         // each of these days lacks the confirmation alone
	known       int          // visits that were known of all days
	reread      []civil.Date // days outside the window that are in doubt
}

// sort maps the rows. It drops those of the account's other practices. Rows that cannot be shown
// are set aside: those visits exist, and must not count as gone.
func (a *answer) sort(ctx context.Context) error {
	kept, unknown, err := own(ctx, a.Deps, &a.named, a.rows, func(r *tebra.Appointment) place {
		return placeOf(r.PracticeID, r.PracticeName, r.Unread)
	})
	if err != nil {
		return err
	}
	for _, row := range unknown {
		a.setAside.addRow(codes.RowForeign, &row)
	}
	a.unread = map[civil.Date]int{}
	rows, err := practice.DistinctRows(kept)
	if err != nil {
		return err
	}
	for _, row := range rows {
		visit, err := practice.FromAppointment(a.id, row, a.Zone)
		if err != nil {
			a.setAside.addRow(codes.Of(err), &row)
			continue
		}
		a.visits = append(a.visits, visit)
		switch {
		case visit.OpenEnded && a.setAside.addOpenEnded(&visit):
		case slices.ContainsFunc(row.Unread, func(column string) bool { return !isPlaceColumn(column) }): // boards show no place
			a.unread[visit.Day]++
		}
	}
	for _, row := range a.aside {
		a.setAside.add(codeOf(row), row.Start, row.End)
	}
	a.lacking = a.setAside.spans()
	return nil
}

// survey compares the number of visits with those that are known of the same days. A visit of any
// day shows that the practice has the name that was asked for.
func (a *answer) survey() {
	days := civil.Range(a.from, a.to)
	for _, on := range days {
		a.known += a.before.Visits[on]
	}
	unreadable, found := a.setAside.hidden(days)
	for i := range a.visits {
		for _, on := range days {
			if a.visits[i].Covers(on) {
				found++
			}
		}
	}
	switch {
	case len(a.visits)+unreadable > 0:
		a.scope = scopeOf(max(found, 1), a.known)
	case authorized(a.authorized, a.id, a.stated):
		a.scope = practice.ScopeEmpty
	default:
		a.scope = practice.ScopeRefused
	}
}

func (a *answer) apply(ctx context.Context, on civil.Date) error {
	changed, err := a.Store.ApplyDay(ctx, a.tenant, practice.Answer{
		Practice: a.id, Date: on, From: a.from, To: a.to, Seen: a.seen, Far: a.far, Visits: a.visits, Partial: a.partial, SetAside: a.setAside.of(on),
		Lacking: a.lacking, Since: a.since, OwnVersions: a.ownVersions, Question: a.question(a.scope),
	})
	if err != nil {
		return err
	}
	if changed.Doubtful {
		a.unconfirmed = changed.Unconfirmed && (a.unconfirmed || !a.doubtful)
		a.doubtful = true
	}
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
	return a.refetch(ctx, a.practiceScope, f)
}
