package work

import (
	"context"
	"errors"
	"fmt"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncPatient reads one patient. A patient whom the vendor does not know is remembered as absent; the run is done.
// Running twice: one more call, no change.
func (d Deps) syncPatient(ctx context.Context, job *tasks.Job[tasks.SyncPatient]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	id := job.Args.Patient.Reveal()
	p, err := s.Vendor.Patients.Get(ctx, id)
	if errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		return applied(d.Store.ForgetPatient(ctx, s.tenant, phi.Text(id), since))
	}
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyPatient(ctx, s.tenant, practice.FromPatient(p), since)
	return applied(err)
}
