package work

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// unusable is the outcome of a run whose list was not read, was cut or is empty.
func unusable(partial bool, err error, demanded time.Time) error {
	switch {
	case err != nil:
		return vendorError(err, demanded)
	case partial:
		return tasks.Permanent(codes.VendorListPartial) // a row that is missing from a cut list may still exist
	}
	return nil
}

// syncDirectory reads a practice's providers. It ignores an empty answer: during an
// outage the vendor sometimes returns one with success, and that must not remove names from boards.
// Running twice: one more call, no change.
func (d Deps) syncDirectory(ctx context.Context, job *tasks.Job[tasks.SyncDirectory]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, partial, err := s.Vendor.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: s.name})
	if len(rows) == 0 || partial || err != nil {
		return unusable(partial, err, job.EnqueuedAt)
	}
	_, err = d.Store.ApplyDirectory(ctx, s.tenant, practice.FromProviders(s.id, rows), since)
	return applied(err)
}

// syncLocations reads a practice's places. It ignores an empty answer too. Running twice: one more
// call, no change.
func (d Deps) syncLocations(ctx context.Context, job *tasks.Job[tasks.SyncLocations]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	rows, partial, err := s.Vendor.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: s.name})
	if len(rows) == 0 || partial || err != nil {
		return unusable(partial, err, job.EnqueuedAt)
	}
	if _, err := d.Store.ApplyLocations(ctx, s.tenant, practice.FromLocations(s.id, rows), since); err != nil {
		return applied(err)
	}
	return d.compareZones(ctx, s, rows)
}

// compareZones alerts operators if the practice has places in states where the clocks show another
// time than in its zone. The vendor names no zone, but a state has one or two.
func (d Deps) compareZones(ctx context.Context, s practiceScope, places []tebra.ServiceLocation) error {
	alert := ledger.Alert{Code: codes.ZoneDiffers}
	for _, p := range places {
		if (p.PracticeID == "" || p.PracticeID == s.id) && zone.Differs(s.Zone, p.State, d.Now()) {
			alert.Rows++
		}
	}
	var found []ledger.Alert
	if alert.Rows > 0 {
		found = append(found, alert)
	}
	scope := ledger.AlertScope{Tenant: s.tenant, Practice: s.id, Codes: []codes.Code{alert.Code}}
	changed, err := d.Ledger.SetAlerts(ctx, scope, found, time.Now())
	if err != nil {
		return fmt.Errorf("store alerts: %w", err)
	}
	if changed && alert.Rows > 0 {
		d.Logger.WarnContext(ctx, "a practice has places where the clocks show another time than in its time zone",
			"practice", string(d.Store.Names(s.tenant).Practice(s.id)), "code", alert.Code, "rows", alert.Rows)
	}
	return nil
}
