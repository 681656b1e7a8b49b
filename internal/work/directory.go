package work

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncDirectory reads a practice's providers. Running twice: one more call, no change.
func (d Deps) syncDirectory(ctx context.Context, job *tasks.Job[tasks.SyncDirectory]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, err := s.Vendor.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: s.name})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyDirectory(ctx, s.tenant, practice.FromProviders(s.id, rows), since)
	return applied(err)
}

// syncLocations reads a practice's places. Running twice: one more call, no change.
func (d Deps) syncLocations(ctx context.Context, job *tasks.Job[tasks.SyncLocations]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, err := s.Vendor.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: s.name})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyLocations(ctx, s.tenant, practice.FromLocations(s.id, rows), since)
	return applied(err)
}
