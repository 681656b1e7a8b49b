package work

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// invalidateEntity makes cached copies invalid and asks for the record to be read anew. Running twice: the copies are
// invalid twice, and the demands join.
func (d Deps) invalidateEntity(ctx context.Context, job *tasks.Job[tasks.InvalidateEntity]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	facts, err := d.Store.Invalidate(ctx, s.tenant, recordOf(job.Args), job.ID)
	if err != nil {
		return err
	}
	return d.demand(ctx, s, d.reread(s, job.Args, facts)...)
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

// reread is what brings the record back. An appointment that was never seen is on no board: the next look at its day
// brings it.
func (d Deps) reread(s site, a tasks.InvalidateEntity, facts practice.Invalidated) []tasks.Args {
	switch a.Noun {
	case tasks.NounAppointment:
		if facts.Day == "" {
			return nil
		}
		on := date(facts.Day)
		return []tasks.Args{tasks.SyncSchedule{Practice: facts.Practice, From: on, To: on}}
	case tasks.NounPatient:
		return []tasks.Args{tasks.SyncPatient{Practice: s.id, Patient: tasks.PatientID(a.ID.Reveal())}}
	case tasks.NounProvider:
		return []tasks.Args{tasks.SyncDirectory{Practice: s.id}}
	case tasks.NounPractice:
		today := tasks.DateOf(d.Now().In(s.Zone))
		return []tasks.Args{tasks.SyncDirectory{Practice: s.id}, tasks.SyncSchedule{Practice: s.id, From: today, To: today}}
	}
	return nil
}
