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
	t, acct, _, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, t)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	id := job.Args.Patient.Reveal()
	p, err := acct.Vendor.Patients.Get(ctx, id)
	if errors.Is(err, &tebra.Error{Code: tebra.NotFound}) {
		return applied(d.Store.ForgetPatient(ctx, t, phi.Text(id), since))
	}
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyPatient(ctx, t, practice.FromPatient(p), since)
	return applied(err)
}

// syncDirectory reads a practice's providers. Running twice: one more call, no change.
func (d Deps) syncDirectory(ctx context.Context, job *tasks.Job[tasks.SyncDirectory]) error {
	t, acct, name, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, t)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, err := acct.Vendor.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: name})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyDirectory(ctx, t, practice.FromProviders(job.Args.Practice, rows), since)
	return applied(err)
}
