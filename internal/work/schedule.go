package work

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// window is how many days one call asks for. The vendor fails on ranges over 60 days; a month keeps answers small.
	window = 31
	// secondLook is when a doubtful answer is checked: soon, yet not while the same hiccup lasts.
	secondLook = 20 * time.Second
)

// syncSchedule reads the appointments of a window and applies them day by day. A window longer than one call may ask for
// becomes several runs. Running twice: one more call, no change.
func (d Deps) syncSchedule(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	t, acct, name, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	from, err := day(job.Args.From)
	if err != nil {
		return err
	}
	to, err := day(job.Args.To)
	if err != nil {
		return err
	}
	days := practice.Days(from, to)
	if len(days) > window {
		return d.splitSchedule(ctx, job.Tenant, job.Args.Practice, days)
	}
	since, err := d.Store.Begin(ctx, t)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	asked := d.Now()
	list, err := acct.Vendor.Appointments.List(ctx, tebra.ListAppointmentsRequest{
		PracticeName: name, From: from.Time(acct.Zone), To: to.Time(acct.Zone), Location: acct.Zone,
	})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	byDay, err := sortByDay(job.Args.Practice, list.Rows, acct.Zone)
	if err != nil {
		return err
	}
	run := scheduleRun{
		Deps: d, tenant: t, practice: job.Args.Practice, partial: list.Partial, since: since,
		own:  map[cache.Tag]uint64{},
		near: practice.DateOf(asked, acct.Zone).Add(1),
	}
	for _, date := range days {
		if err := run.apply(ctx, date, byDay[date]); err != nil {
			return applied(err)
		}
	}
	if run.doubtful {
		return d.lookAgain(ctx, job)
	}
	if err := d.Ledger.Advance(ctx, t, "schedule/"+job.Args.Practice, asked); err != nil {
		return fmt.Errorf("advance watermark: %w", err)
	}
	return nil
}

func (d Deps) splitSchedule(ctx context.Context, t, practiceID string, days []practice.Date) error {
	var parts []tasks.Args
	for len(days) > 0 {
		n := min(window, len(days))
		from, err := tasks.ParseDate(string(days[0]))
		if err != nil {
			return tasks.Permanent(err)
		}
		to, err := tasks.ParseDate(string(days[n-1]))
		if err != nil {
			return tasks.Permanent(err)
		}
		parts = append(parts, tasks.SyncSchedule{Practice: practiceID, From: from, To: to})
		days = days[n:]
	}
	if _, err := d.Tasks.EnqueueMany(ctx, t, parts); err != nil {
		return fmt.Errorf("split window: %w", err)
	}
	return nil
}

// lookAgain asks for the same window once more, because a day came back so much smaller that it may be the vendor's
// hiccup. The second look is a demand of its own: this run has done what it could.
func (d Deps) lookAgain(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	if _, err := d.Tasks.Enqueue(ctx, job.Tenant, job.Args, tasks.In(secondLook)); err != nil {
		return fmt.Errorf("ask again: %w", err)
	}
	return nil
}

// sortByDay maps the rows. A row of another practice poisons the whole answer: the vendor answered a question that we did
// not ask, and nothing of it may be believed. A row without id or start is left out.
func sortByDay(practiceID string, rows []tebra.Appointment, zone *time.Location) (map[practice.Date][]practice.Appointment, error) {
	out := map[practice.Date][]practice.Appointment{}
	for _, row := range rows {
		a, err := practice.FromAppointment(practiceID, row, zone)
		switch {
		case errors.Is(err, practice.ErrForeign):
			return nil, fmt.Errorf("map appointments: %w", err)
		case err != nil:
			continue
		}
		out[a.Day] = append(out[a.Day], a)
	}
	return out, nil
}

type scheduleRun struct {
	Deps
	tenant   tenant.ID
	practice string
	partial  bool
	since    cache.Grant
	own      map[cache.Tag]uint64 // what earlier days of this answer moved
	near     practice.Date        // up to this day people's records are worth a call each: nobody reads boards further ahead
	doubtful bool
}

func (r *scheduleRun) apply(ctx context.Context, date practice.Date, visits []practice.Appointment) error {
	changed, err := r.Store.ApplyDay(ctx, r.tenant, practice.Answer{
		Practice: r.practice, Date: date, Visits: visits, Partial: r.partial, Since: r.since, Own: r.own,
	})
	if err != nil {
		return err
	}
	r.doubtful = r.doubtful || changed.Doubtful
	var missing []phi.Text
	if date <= r.near {
		if missing, err = r.Store.PatientsToFetch(ctx, r.tenant, visits); err != nil {
			return err
		}
	}
	follow := make([]tasks.Args, 0, len(missing)+1)
	for _, id := range missing {
		follow = append(follow, tasks.SyncPatient{Practice: r.practice, Patient: tasks.PatientID(id.Reveal())})
	}
	if changed.Any() {
		d, err := tasks.ParseDate(string(date))
		if err != nil {
			return tasks.Permanent(err)
		}
		follow = append(follow, tasks.WarmView{View: tasks.DayBoard, Practice: r.practice, Date: d})
	}
	if len(follow) == 0 {
		return nil
	}
	if _, err := r.Tasks.EnqueueMany(ctx, r.tenant.String(), follow); err != nil {
		return fmt.Errorf("enqueue what follows: %w", err)
	}
	return nil
}
