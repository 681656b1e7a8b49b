package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncPatient reads one patient. It records a patient that the vendor does not know as absent; if
// the patient was known, only after a second answer confirms that. A patient that the vendor has
// merged with another one is final; what shows its visits is read again the first time. Running
// twice: one more call, no change.
func (d Deps) syncPatient(ctx context.Context, job *tasks.Job[tasks.SyncPatient]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	id := phi.Text(job.Args.Patient.Reveal())
	if err := overtaken(ctx, d, s, job, practice.Record{Noun: practice.NounPatient, ID: id}); err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	p, err := s.Vendor.Patients.Get(ctx, id.Reveal())
	switch {
	case errors.Is(err, &tebra.Error{Code: tebra.NotFound}):
		doubtful, err := d.Store.ForgetPatient(ctx, s.tenant, id, false, since)
		if doubtful {
			return readAgain(ctx, d, job)
		}
		return applied(err)
	case errors.Is(err, &tebra.Error{Code: tebra.Merged}):
		if err := d.rereadMerged(ctx, s, id); err != nil {
			return err
		}
		if _, err := d.Store.ForgetPatient(ctx, s.tenant, id, true, since); err != nil {
			return applied(err)
		}
		return d.vendorError(ctx, s.tenant, err, job.EnqueuedAt)
	case err != nil:
		return d.vendorError(ctx, s.tenant, err, job.EnqueuedAt)
	}
	changed, err := d.Store.ApplyPatient(ctx, s.tenant, practice.FromPatient(p), since)
	if err != nil || !changed {
		return applied(err)
	}
	views, err := d.views(ctx, s, civil.Date{}, []phi.Text{id}, nil)
	if err != nil {
		return err
	}
	return d.demand(ctx, s, views...)
}

// rereadMerged is rereadVisits unless the patient was absent before: the vendor may go on listing
// visits under the old identifier.
func (d Deps) rereadMerged(ctx context.Context, s practiceScope, patient phi.Text) error {
	absent, err := d.Store.PatientAbsent(ctx, s.tenant, patient)
	if err != nil || absent {
		return err
	}
	return d.rereadVisits(ctx, s, patient)
}

// rereadVisits demands the days on which boards and cards show a visit of the patient: the vendor
// may list these visits under the identifier of another patient now.
func (d Deps) rereadVisits(ctx context.Context, s practiceScope, patient phi.Text) error {
	today := civil.DateOf(d.Now().In(s.Zone))
	days, err := d.Store.VisitDays(ctx, s.tenant, s.id, patient, civil.Range(today.Add(-soon), today.Add(practice.CardDays-1)))
	if err != nil {
		return err
	}
	return d.demand(ctx, s, readDays(s, days)...)
}
