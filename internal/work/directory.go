package work

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncDirectory reads a practice's providers. It ignores an empty answer: during an outage the
// vendor sometimes returns one with success, and that must not remove names from boards. Running
// twice: one more call, no change.
func (d Deps) syncDirectory(ctx context.Context, job *tasks.Job[tasks.SyncDirectory]) error {
	n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, n.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	answer, err := n.Vendor.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: n.name})
	switch {
	case err != nil:
		return d.failed(ctx, &n, since, err, job.EnqueuedAt)
	case answer.Partial:
		return tasks.Permanent(codes.VendorListPartial) // a row that is missing from a cut list may still exist
	}
	rows, _, err := own(ctx, d, &n, answer.Rows, func(r *tebra.Provider) (id, name string) { return r.PracticeID, r.PracticeName })
	if err != nil {
		return err
	}
	info, _, err := d.Store.Info(ctx, n.tenant, n.id)
	if err != nil {
		return err
	}
	list := practice.FromProviders(n.id, rows)
	if len(answer.SetAside) > 0 {
		list.Providers = withKnown(list.Providers, info.Providers, func(p practice.Provider) string { return p.ID })
	}
	ok, err := counts(ctx, d, &n, job, job.Args, practice.NounDirectory, len(list.Providers), len(info.Providers))
	if !ok || err != nil || len(rows) == 0 {
		return err
	}
	if _, err := d.Store.ApplyDirectory(ctx, n.tenant, list, since); err != nil {
		return applied(err)
	}
	if err := d.answered(ctx, &n, since); err != nil {
		return err
	}
	return unreadable(answer.SetAside)
}

// withKnown adds what is known to a list with rows that could not be read: they may be of these
// records.
func withKnown[T any](list, known []T, id func(T) string) []T {
	for _, k := range known {
		if !slices.ContainsFunc(list, func(row T) bool { return id(row) == id(k) }) {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(id(a), id(b)) })
	return list
}

// unreadable is the outcome of a run that has used a list. Rows that cannot be read are for
// operators: another call would return the same.
func unreadable(rows []tebra.SetAside) error {
	if len(rows) > 0 {
		return tasks.Permanent(codes.VendorListPartial)
	}
	return nil
}

// syncLocations reads a practice's places. It ignores an empty answer too. Running twice: one more
// call, no change.
func (d Deps) syncLocations(ctx context.Context, job *tasks.Job[tasks.SyncLocations]) error {
	n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, n.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	answer, err := n.Vendor.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: n.name})
	switch {
	case err != nil:
		return d.failed(ctx, &n, since, err, job.EnqueuedAt)
	case answer.Partial:
		return tasks.Permanent(codes.VendorListPartial)
	}
	rows, _, err := own(ctx, d, &n, answer.Rows, func(r *tebra.ServiceLocation) (id, name string) { return r.PracticeID, r.PracticeName })
	if err != nil {
		return err
	}
	info, _, err := d.Store.Info(ctx, n.tenant, n.id)
	if err != nil {
		return err
	}
	list := practice.FromLocations(n.id, rows)
	if len(answer.SetAside) > 0 {
		list.Locations = withKnown(list.Locations, info.Locations, func(l practice.Location) string { return l.ID })
	}
	ok, err := counts(ctx, d, &n, job, job.Args, practice.NounLocations, len(list.Locations), len(info.Locations))
	if !ok || err != nil || len(rows) == 0 {
		return err
	}
	if _, err := d.Store.ApplyLocations(ctx, n.tenant, list, since); err != nil {
		return applied(err)
	}
	if err := d.answered(ctx, &n, since); err != nil {
		return err
	}
	if err := d.compareZones(ctx, n.practiceScope, rows); err != nil {
		return err
	}
	return unreadable(answer.SetAside)
}

// compareZones alerts operators if the practice has places in states where the clocks show another
// time than in its zone. The vendor names no zone, but a state has one or two.
func (d Deps) compareZones(ctx context.Context, s practiceScope, places []tebra.ServiceLocation) error {
	alert := ledger.Alert{Code: codes.ZoneDiffers}
	for _, p := range places {
		if zone.Differs(s.Zone, p.State, d.Now()) {
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
