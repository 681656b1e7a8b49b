package work

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// rereadDelay is when a doubtful answer is checked: soon, but not while the same outage lasts.
	rereadDelay = 20 * time.Second
	// soon is how many days ahead boards are built before they are requested.
	soon = 7
)

// syncSchedule reads the appointments of the first window of a range and applies them day by day;
// the rest of the range becomes another run. Running twice: one more call, no change.
func (d Deps) syncSchedule(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	w, err := firstWindow(s.Vendor.Appointments.Windows(ctx, tebra.ListAppointmentsRequest{
		PracticeName: s.name, From: job.Args.From.In(time.UTC), To: job.Args.To.In(time.UTC), Location: s.Zone,
	}))
	switch {
	case err != nil && w.cut(job.Args.To, "GetAppointments"): // keep the window size that the calls have found
		return d.demand(ctx, s, append(d.rest(s, w.to, job.Args.To), tasks.SyncSchedule{Practice: s.id, From: w.from, To: w.to})...)
	case err != nil:
		return vendorError(err, job.EnqueuedAt)
	}
	a := answer{
		Deps: d, practiceScope: s, since: since, ownVersions: map[cache.Tag]uint64{}, today: civil.DateOf(d.Now().In(s.Zone)),
	}
	a.partial = w.partial
	if err := a.sort(w.rows); err != nil {
		return err
	}
	for code, rows := range a.setAside {
		d.Logger.WarnContext(ctx, "rows of the schedule are not shown; nothing is removed from these days until they can be read",
			"tenant", job.Tenant, "practice", string(d.Store.Names(s.tenant).Practice(s.id)), "task", job.ID, "code", code, "rows", rows)
	}
	for _, on := range civil.Range(w.from, w.to) {
		if err := a.apply(ctx, on); err != nil {
			return applied(err)
		}
	}
	if a.doubtful {
		again := *job
		again.Args.From, again.Args.To = w.from, w.to
		if err := readAgain(ctx, d, &again); err != nil {
			return err
		}
	}
	return d.demand(ctx, s, d.rest(s, w.to, job.Args.To)...)
}

// rest returns the demand for the days of a range that come after one of them, if there are any.
func (d Deps) rest(s practiceScope, after, last civil.Date) []tasks.Args {
	if after.Compare(last) >= 0 {
		return nil
	}
	return []tasks.Args{tasks.SyncSchedule{Practice: s.id, From: after.Add(1), To: last}}
}

// readAgain demands the same once more, because the answer was so much less than what is known that
// the vendor may have an outage. The second read is a task of its own, because this run is
// complete.
func readAgain[T tasks.Args](ctx context.Context, d Deps, job *tasks.Job[T]) error {
	if _, err := d.Tasks.Enqueue(ctx, job.Tenant, job.Args, tasks.In(rereadDelay)); err != nil {
		return fmt.Errorf("enqueue second read: %w", err)
	}
	return nil
}

// answer is one answer of the vendor about a range of days, on its way into the cache.
type answer struct {
	Deps
	practiceScope
	visits      map[civil.Date][]practice.Appointment
	setAside    map[codes.Code]int // rows that may be of any day
	partial     bool
	since       cache.Grant
	ownVersions map[cache.Tag]uint64 // raised by earlier days of this answer
	today       civil.Date
	doubtful    bool
}

// sort maps the rows and sorts them by day. A row of another practice invalidates the whole answer:
// the vendor answered a different question, so no row can be trusted. Rows that cannot be shown are
// set aside: those visits exist, on some day, and must not count as gone.
func (a *answer) sort(rows []tebra.Appointment) error {
	a.visits, a.setAside = map[civil.Date][]practice.Appointment{}, map[codes.Code]int{}
	for _, row := range rows {
		visit, err := practice.FromAppointment(a.id, row, a.Zone)
		switch {
		case errors.Is(err, practice.ErrForeign):
			return fmt.Errorf("map appointments: %w", err)
		case err != nil:
			a.setAside[codes.Of(err)]++
			continue
		}
		a.visits[visit.Day] = append(a.visits[visit.Day], visit)
	}
	return nil
}

func (a *answer) apply(ctx context.Context, on civil.Date) error {
	visits := a.visits[on]
	changed, err := a.Store.ApplyDay(ctx, a.tenant, practice.Answer{
		Practice: a.id, Date: on, Visits: visits, Partial: a.partial, SetAside: a.setAside, Since: a.since, OwnVersions: a.ownVersions,
		Question: practice.Question{Name: a.name, Confirmed: math.MaxUint64},
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
func (a *answer) patients(ctx context.Context, on civil.Date, visits []practice.Appointment) ([]tasks.Args, error) {
	if on.Compare(a.today) < 0 || on.Compare(a.today.Add(1)) > 0 {
		return nil, nil
	}
	f, err := a.Store.PatientsToFetch(ctx, a.tenant, a.id, visits)
	if err != nil {
		return nil, err
	}
	return refetch(a.practiceScope, f), nil
}
