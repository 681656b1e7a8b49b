package work

import (
	"context"
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
	// rereadDelay is when a doubtful answer is checked: soon, but not while the same outage lasts.
	rereadDelay = 20 * time.Second
	// coldDelay is when days are read again of which nothing is known.
	coldDelay = 10 * time.Second
	// soon is how many days ahead boards are built before they are requested.
	soon = 7
)

// syncSchedule reads the appointments of the first window of a range and applies them day by day;
// the rest of the range becomes another run. Running twice: one more call, no change.
func (d Deps) syncSchedule(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
	if err != nil {
		return err
	}
	s := n.practiceScope
	if err := d.scheduleExpired(ctx, s, job); err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	span := civil.Range(job.Args.From, civil.Min(job.Args.To, job.Args.From.Add(policy("GetAppointments").MaxDays-1)))
	known, err := d.Store.Known(ctx, s.tenant, s.id, span)
	if err != nil {
		return fmt.Errorf("read known days: %w", err)
	}
	back, far, err := d.lookback(ctx, s, known, span, job.Args.Lookback)
	if err != nil {
		return err
	}
	w, err := firstWindow(s.Vendor.Appointments.Windows(ctx, tebra.ListAppointmentsRequest{
		PracticeName: s.name, From: job.Args.From.In(time.UTC), To: job.Args.To.In(time.UTC), Lookback: back, Location: s.Zone,
	}))
	switch {
	case err != nil && w.cut(job.Args.To, "GetAppointments"): // keep the window size that the calls have found
		first := job.Args
		first.To = w.to
		return d.demand(ctx, s, append(rest(job.Args, w.to), first)...)
	case far && back > minLookback && job.Args.Lookback == 0 && mayBeTooLong(err):
		return d.shorten(ctx, s, err)
	case err != nil:
		return d.failed(ctx, &n, since, err, job.EnqueuedAt)
	}
	a := answer{
		Deps: d, named: n, window: w, setAside: setAside{zone: s.Zone}, before: known, far: far, since: since,
		ownVersions: map[cache.Tag]uint64{}, today: civil.DateOf(d.Now().In(s.Zone)),
	}
	if err := a.sort(ctx); err != nil {
		return err
	}
	a.survey()
	for _, on := range civil.Range(w.from, w.to) {
		if err := a.apply(ctx, on); err != nil {
			return applied(err)
		}
	}
	if !a.doubtful {
		a.alert(ctx)
	}
	if err := a.check(ctx, job); err != nil {
		return err
	}
	return d.demand(ctx, s, append(rest(job.Args, w.to), readDays(s, a.reread)...)...)
}

// check demands what the answer lacks before all of it counts. An answer without visits proves
// nothing about the name that was asked for, even if it lacks nothing.
//
// Even an answer that is in doubt shows, if it has visits, that the practice can be read.
func (a *answer) check(ctx context.Context, job *tasks.Job[tasks.SyncSchedule]) error {
	if a.scope == practice.ScopeSound || a.scope == practice.ScopeShrunk {
		if err := a.answered(ctx, &a.named, a.since, a.authorized); err != nil {
			return err
		}
	}
	switch {
	case a.doubtful:
		delay := rereadDelay
		switch {
		case a.unconfirmed:
			delay = 0 // the next regular reading follows the confirmation
		case a.known == 0:
			delay = coldDelay
		}
		again := job.Args
		again.From, again.To = a.from, a.to
		return prove(ctx, a.Deps, &a.named, again, delay)
	case a.scope == practice.ScopeEmpty:
		if err := a.recheck(ctx, &a.named); err != nil {
			return err
		}
		return a.readProven(ctx, job.Args)
	}
	return nil
}

// readProven demands an empty list once more, after the statement that it has just demanded: lists
// that are read more rarely than a statement is recent would never be proven. Today's, which is
// read often, finds a recent one with its next reading.
func (a *answer) readProven(ctx context.Context, again tasks.SyncSchedule) error {
	if a.stated.Code != "" || a.recent() || a.stated.Confirms(a.name) > 0 && a.stated.Age < 2*recheck {
		return nil //nolint:nilerr // the code is what the vendor stated, not the error of a call
	}
	again.From, again.To = a.from, a.to
	what := fmt.Sprintf("proof %s %s %d", again.From, again.To, again.Lookback)
	if paused, err := a.Store.Paused(ctx, a.tenant, a.id, what); paused || err != nil {
		return err
	}
	if _, err := a.Tasks.Enqueue(ctx, a.tenant.String(), again, tasks.In(coldDelay)); err != nil {
		return fmt.Errorf("enqueue second read: %w", err)
	}
	return a.Store.Pause(ctx, a.tenant, a.id, what, 2*recheck)
}

// readDays returns the demands that read days, one for each run of consecutive days.
func readDays(s practiceScope, days []civil.Date) []tasks.Args {
	slices.SortFunc(days, civil.Date.Compare)
	var out []tasks.Args
	for i := 0; i < len(days); {
		next := i + 1
		for next < len(days) && days[next-1].Days(days[next]) <= 1 {
			next++
		}
		out = append(out, tasks.SyncSchedule{Practice: s.id, From: days[i], To: days[next-1]})
		i = next
	}
	return out
}

// rest returns the demand for the days of a range that come after one of them, if there are any.
func rest(a tasks.SyncSchedule, after civil.Date) []tasks.Args {
	if after.Compare(a.To) >= 0 {
		return nil
	}
	a.From = after.Add(1)
	return []tasks.Args{a}
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
