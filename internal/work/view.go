package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// warmView puts a view into the cache before somebody asks for it. It makes no vendor call; a day of which nothing is
// known becomes a demand for its schedule. Running twice: the second finds the view there.
func (d Deps) warmView(ctx context.Context, job *tasks.Job[tasks.WarmView]) error {
	t, _, _, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	date, err := day(job.Args.Date)
	if err != nil {
		return err
	}
	_, err = d.Store.Board(ctx, t, job.Args.Practice, date)
	if errors.Is(err, practice.ErrCold) {
		return d.demand(ctx, job.Tenant, tasks.SyncSchedule{Practice: job.Args.Practice, From: job.Args.Date, To: job.Args.Date})
	}
	return err
}

// invalidateEntity makes cached copies invalid and asks for the record to be read anew. Running twice: the copies are
// invalid twice, and the demands join.
func (d Deps) invalidateEntity(ctx context.Context, job *tasks.Job[tasks.InvalidateEntity]) error {
	t, err := tenant.Parse(job.Tenant)
	if err != nil {
		return tasks.Permanent(err)
	}
	a := job.Args
	r := practice.Record{Practice: a.Practice}
	switch a.Noun {
	case tasks.NounAppointment:
		r.Noun, r.ID = practice.NounAppointment, phi.Text(a.ID.Reveal())
	case tasks.NounPatient:
		r.Noun, r.ID = practice.NounPatient, phi.Text(a.ID.Reveal())
	case tasks.NounProvider:
		r.Noun = practice.NounDirectory
	case tasks.NounPractice:
		r.Noun = practice.NounPractice
	}
	facts, err := d.Store.Invalidate(ctx, t, r, job.ID)
	if err != nil {
		return err
	}
	return d.reread(ctx, job, facts)
}

func (d Deps) reread(ctx context.Context, job *tasks.Job[tasks.InvalidateEntity], facts practice.Invalidated) error {
	a := job.Args
	switch a.Noun {
	case tasks.NounAppointment:
		if facts.Day == "" {
			return nil // never seen: no board shows it, the next look at its day brings it
		}
		on, err := tasks.ParseDate(string(facts.Day))
		if err != nil {
			return tasks.Permanent(err)
		}
		return d.demand(ctx, job.Tenant, tasks.SyncSchedule{Practice: facts.Practice, From: on, To: on})
	case tasks.NounPatient:
		return d.demand(ctx, job.Tenant, tasks.SyncPatient{Practice: a.Practice, Patient: tasks.PatientID(a.ID.Reveal())})
	case tasks.NounProvider:
		return d.demand(ctx, job.Tenant, tasks.SyncDirectory{Practice: a.Practice})
	case tasks.NounPractice:
		acct, err := d.Account(ctx, tenant.ID(job.Tenant))
		if err != nil {
			return err
		}
		today := tasks.DateOf(d.Now().In(acct.Zone))
		return d.demand(ctx, job.Tenant, tasks.SyncDirectory{Practice: a.Practice},
			tasks.SyncSchedule{Practice: a.Practice, From: today, To: today})
	}
	return nil
}

func (d Deps) demand(ctx context.Context, t string, args ...tasks.Args) error {
	if _, err := d.Tasks.EnqueueMany(ctx, t, args); err != nil {
		return fmt.Errorf("enqueue what follows: %w", err)
	}
	return nil
}
