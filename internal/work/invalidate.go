package work

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// invalidateEntity invalidates the cached copies of a record and demands that the record is read
// again. Running twice: the copies are invalidated twice, and the demands join.
func (d Deps) invalidateEntity(ctx context.Context, job *tasks.Job[tasks.InvalidateEntity]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	facts, err := d.Store.Invalidate(ctx, s.tenant, recordOf(job.Args), job.ID)
	if err != nil {
		return err
	}
	return d.demand(ctx, s, job.Args.Reread(facts.Practice, tasks.DateOf(d.Now().In(s.Zone)))...)
}

func recordOf(a tasks.InvalidateEntity) practice.Record {
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
	return r
}
