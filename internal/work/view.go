package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// warmView builds a view before it is requested. It makes no vendor call; what is not known becomes
// a demand that is as urgent as this task. Running twice: the second run finds the view in the
// cache.
func (d Deps) warmView(ctx context.Context, job *tasks.Job[tasks.WarmView]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	if err := dayOver(d, s, job, job.Args.Date, job.Args.Date); err != nil {
		return err
	}
	missing, err := d.build(ctx, s, job.Args)
	if err != nil || missing == nil {
		return err
	}
	var how []tasks.Option
	if job.Lane == tasks.LaneInteractive {
		how = append(how, tasks.Interactive())
	}
	if _, err := d.Tasks.Enqueue(ctx, job.Tenant, missing, how...); err != nil {
		return fmt.Errorf("enqueue missing data: %w", err)
	}
	return nil
}

// build reads the view, which puts it into the cache, and returns the task that must ask the vendor
// first, if any. A patient that does not exist has no card.
func (d Deps) build(ctx context.Context, s practiceScope, a tasks.WarmView) (missing tasks.Args, err error) {
	switch a.View {
	case tasks.PatientCard:
		var r practice.CardRead
		r, err = d.Store.WarmPatientCard(ctx, s.tenant, s.id, phi.Text(a.Patient.Reveal()), a.Date)
		if err == nil && r.Unknown > 0 {
			return tasks.SyncSchedule{Practice: s.id, From: a.Date, To: a.Date.Add(practice.CardDays - 1)}, nil
		}
	case tasks.ProviderDay:
		_, err = d.Store.WarmProviderDay(ctx, s.tenant, s.id, a.Provider, a.Date)
	default:
		_, err = d.Store.Board(ctx, s.tenant, s.id, a.Date)
	}
	switch {
	case errors.Is(err, practice.ErrAbsent):
		return nil, nil
	case errors.Is(err, practice.ErrCold):
		return a.Source(), nil
	}
	return nil, err
}

// board returns the demand for a day's board after a change, if the day is soon. Boards of later
// days are seldom read, and are built on request.
func (d Deps) board(s practiceScope, on civil.Date) []tasks.Args {
	if on.Compare(civil.DateOf(d.Now().In(s.Zone)).Add(soon)) > 0 {
		return nil
	}
	return []tasks.Args{tasks.WarmView{View: tasks.DayBoard, Practice: s.id, Date: on}}
}

// views returns the demands for the recently read views that a change invalidated: the cards of
// these patients, and the days of these providers.
func (d Deps) views(ctx context.Context, s practiceScope, on civil.Date, patients []phi.Text, providers []string) ([]tasks.Args, error) {
	cards, days, err := d.Store.RecentlyRead(ctx, s.tenant, s.id, on, patients, providers)
	if err != nil {
		return nil, err
	}
	today := civil.DateOf(d.Now().In(s.Zone))
	var out []tasks.Args
	for _, id := range cards {
		out = append(out, tasks.WarmView{View: tasks.PatientCard, Practice: s.id, Date: today, Patient: tasks.PatientID(id.Reveal())})
	}
	for _, id := range days {
		out = append(out, tasks.WarmView{View: tasks.ProviderDay, Practice: s.id, Date: on, Provider: id})
	}
	return out, nil
}
