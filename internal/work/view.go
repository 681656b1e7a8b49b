package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// warmView puts a view into the cache before somebody asks for it. It makes no vendor call; what is not known becomes a
// demand, as urgent as this one. Running twice: the second finds the view there.
func (d Deps) warmView(ctx context.Context, job *tasks.Job[tasks.WarmView]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	on, err := day(job.Args.Date)
	if err != nil {
		return err
	}
	missing, err := d.build(ctx, s, job.Args, on)
	if err != nil || missing == nil {
		return err
	}
	var how []tasks.Option
	if job.Lane == tasks.LaneInteractive {
		how = append(how, tasks.Interactive())
	}
	if _, err := d.Tasks.Enqueue(ctx, job.Tenant, missing, how...); err != nil {
		return fmt.Errorf("ask for what is missing: %w", err)
	}
	return nil
}

// build reads the view, which puts it into the cache, and returns what the vendor has to be asked for first, if anything.
// A patient who does not exist has no card.
func (d Deps) build(ctx context.Context, s site, a tasks.WarmView, on practice.Date) (missing tasks.Args, err error) {
	switch a.View {
	case tasks.PatientCard:
		var r practice.CardRead
		r, err = d.Store.WarmPatientCard(ctx, s.tenant, s.id, phi.Text(a.Patient.Reveal()), on)
		if err == nil && r.Unknown > 0 {
			return tasks.SyncSchedule{Practice: s.id, From: a.Date, To: date(on.Add(practice.CardDays - 1))}, nil
		}
	case tasks.ProviderDay:
		_, err = d.Store.WarmProviderDay(ctx, s.tenant, s.id, a.Provider, on)
	default:
		_, err = d.Store.Board(ctx, s.tenant, s.id, on)
	}
	switch {
	case errors.Is(err, practice.ErrAbsent):
		return nil, nil
	case errors.Is(err, practice.ErrCold):
		return a.Source(), nil
	}
	return nil, err
}
