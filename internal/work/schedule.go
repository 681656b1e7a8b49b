package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// window is how many days one call asks for. The vendor fails on ranges over 60 days; a month keeps answers small.
	window = 31
	// secondLook is when a doubtful answer is checked: soon, yet not while the same hiccup lasts.
	secondLook = 20 * time.Second
	// soon is for how many days from today boards are built before they are asked for.
	soon = 7
)

// syncSchedule reads the appointments of a window and applies them day by day. A window longer than one call may ask for
// becomes several runs, and so does one whose answer the vendor cut. Running twice: one more call, no change.
func (d Deps) syncSchedule(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	days := civil.Range(job.Args.From, job.Args.To)
	if len(days) > window {
		return d.split(ctx, s, days, window)
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	list, err := s.Vendor.Appointments.List(ctx, tebra.ListAppointmentsRequest{
		PracticeName: s.name, From: days[0].In(s.Zone), To: days[len(days)-1].In(s.Zone), Location: s.Zone,
	})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	visits, left, err := sortByDay(s.id, list.Rows, s.Zone)
	if err != nil {
		return err
	}
	if left > 0 {
		d.Logger.WarnContext(ctx, "appointments without a start were left out; nothing is taken from these days until they have one",
			"tenant", job.Tenant, "practice", string(d.Store.Names(s.tenant).Practice(s.id)), "task", job.ID, "rows", left)
	}
	a := answer{
		Deps: d, site: s, visits: visits, partial: list.Partial || left > 0, since: since, ownVersions: map[cache.Tag]uint64{},
		today: civil.DateOf(d.Now().In(s.Zone)),
	}
	for _, date := range days {
		if err := a.apply(ctx, date); err != nil {
			return applied(err)
		}
	}
	switch {
	case list.Partial && len(days) > 1:
		return d.split(ctx, s, days, (len(days)+1)/2)
	case a.doubtful:
		return lookAgain(ctx, d, job)
	}
	return nil
}

// split demands the days in windows of n days at most.
func (d Deps) split(ctx context.Context, s site, days []civil.Date, n int) error {
	var parts []tasks.Args
	for part := range slices.Chunk(days, n) {
		parts = append(parts, tasks.SyncSchedule{Practice: s.id, From: part[0], To: part[len(part)-1]})
	}
	return d.demand(ctx, s, parts...)
}

// lookAgain asks for the same once more, because what came back was so much less than what is known that it may be the
// vendor's hiccup. The second look is a demand of its own: this run has done what it could.
func lookAgain[T tasks.Args](ctx context.Context, d Deps, job *tasks.Job[T]) error {
	if _, err := d.Tasks.Enqueue(ctx, job.Tenant, job.Args, tasks.In(secondLook)); err != nil {
		return fmt.Errorf("ask again: %w", err)
	}
	return nil
}

// sortByDay maps the rows. A row of another practice poisons the whole answer: the vendor answered a question that we did
// not ask, and nothing of it may be believed. Rows without a start are left out and counted: those visits are there,
// whatever day they are on, and must not pass for ones that are gone.
func sortByDay(practiceID string, rows []tebra.Appointment, zone *time.Location) (visits map[civil.Date][]practice.Appointment, left int, err error) {
	visits = map[civil.Date][]practice.Appointment{}
	for _, row := range rows {
		a, err := practice.FromAppointment(practiceID, row, zone)
		switch {
		case errors.Is(err, practice.ErrForeign):
			return nil, 0, fmt.Errorf("map appointments: %w", err)
		case err != nil:
			left++
			continue
		}
		visits[a.Day] = append(visits[a.Day], a)
	}
	return visits, left, nil
}

// answer is one look at the vendor, on its way into the cache.
type answer struct {
	Deps
	site
	visits      map[civil.Date][]practice.Appointment
	partial     bool
	since       cache.Grant
	ownVersions map[cache.Tag]uint64 // what earlier days of this answer moved
	today       civil.Date
	doubtful    bool
}

func (a *answer) apply(ctx context.Context, on civil.Date) error {
	visits := a.visits[on]
	changed, err := a.Store.ApplyDay(ctx, a.tenant, practice.Answer{
		Practice: a.id, Date: on, Visits: visits, Partial: a.partial, Since: a.since, OwnVersions: a.ownVersions,
	})
	if err != nil {
		return err
	}
	a.doubtful = a.doubtful || changed.Doubtful
	follow, err := a.patients(ctx, on, visits)
	if err != nil {
		return err
	}
	if changed.Any() {
		follow = append(follow, a.board(a.site, on)...)
	}
	views, err := a.views(ctx, a.site, on, changed.Patients, changed.Providers)
	if err != nil {
		return err
	}
	return a.demand(ctx, a.site, append(follow, views...)...)
}

// patients demands the records of a day's people. They are worth it for today and tomorrow: boards of other days are
// seldom read, and show the names that the visits carry.
func (a *answer) patients(ctx context.Context, on civil.Date, visits []practice.Appointment) ([]tasks.Args, error) {
	if on.Compare(a.today) < 0 || on.Compare(a.today.Add(1)) > 0 {
		return nil, nil
	}
	f, err := a.Store.PatientsToFetch(ctx, a.tenant, a.id, visits)
	if err != nil {
		return nil, err
	}
	return refetch(a.site, f), nil
}
