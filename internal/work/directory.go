package work

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// syncDirectory reads a practice's providers. Running twice: one more call, no change.
func (d Deps) syncDirectory(ctx context.Context, job *tasks.Job[tasks.SyncDirectory]) error {
	return syncListed(ctx, d, job, job.Args.Practice, listed[tebra.Provider, practice.Provider]{
		noun: practice.NounDirectory, code: codes.ProvidersUnreadable,
		read: func(ctx context.Context, n *named) (tebra.List[tebra.Provider], error) {
			return n.Vendor.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: n.name})
		},
		place: func(r *tebra.Provider) place { return placeOf(r.PracticeID, r.PracticeName, r.Unread) },
		from: func(n *named, rows []tebra.Provider) []practice.Provider {
			return practice.FromProviders(n.id, rows).Providers
		},
		known: func(info practice.Info) []practice.Provider { return info.Providers },
		id:    func(p practice.Provider) string { return p.ID },
		apply: func(ctx context.Context, n *named, list []practice.Provider, _ []tebra.Provider, since cache.Grant) error {
			_, err := d.Store.ApplyDirectory(ctx, n.tenant, practice.Directory{Practice: n.id, Providers: list}, since)
			return err
		},
	})
}

// syncLocations reads a practice's places. Running twice: one more call, no change.
func (d Deps) syncLocations(ctx context.Context, job *tasks.Job[tasks.SyncLocations]) error {
	return syncListed(ctx, d, job, job.Args.Practice, listed[tebra.ServiceLocation, practice.Location]{
		noun: practice.NounLocations, code: codes.LocationsUnreadable,
		read: func(ctx context.Context, n *named) (tebra.List[tebra.ServiceLocation], error) {
			return n.Vendor.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: n.name})
		},
		place: func(r *tebra.ServiceLocation) place { return placeOf(r.PracticeID, r.PracticeName, r.Unread) },
		from: func(n *named, rows []tebra.ServiceLocation) []practice.Location {
			return practice.FromLocations(n.id, rows).Locations
		},
		known: func(info practice.Info) []practice.Location { return info.Locations },
		id:    func(l practice.Location) string { return l.ID },
		apply: func(ctx context.Context, n *named, list []practice.Location, rows []tebra.ServiceLocation, since cache.Grant) error {
			if _, err := d.Store.ApplyLocations(ctx, n.tenant, practice.Locations{Practice: n.id, Locations: list}, since); err != nil {
				return err
			}
			return d.compareZones(ctx, n.practiceScope, rows)
		},
	})
}

// listed says what a list of a practice's records R is and what becomes of them.
type listed[R, Doc any] struct {
	noun  practice.Noun
	code  codes.Code // of the alert about rows that cannot be read, or are of a practice that is not known
	read  func(context.Context, *named) (tebra.List[R], error)
	place func(*R) place
	from  func(*named, []R) []Doc
	known func(practice.Info) []Doc
	id    func(Doc) string
	// apply stores the list; rows are those of the practice.
	apply func(ctx context.Context, n *named, list []Doc, rows []R, since cache.Grant) error
}

// syncListed reads a list of a practice's records. It ignores an empty answer: during an outage the
// vendor sometimes returns one with success, and that must not remove names from boards.
func syncListed[T tasks.Args, R, Doc any](ctx context.Context, d Deps, job *tasks.Job[T], practiceID string, l listed[R, Doc]) error {
	n, err := d.openNamed(ctx, job.Tenant, practiceID, job.Lane)
	if err != nil {
		return err
	}
	if err := overtaken(ctx, d, n.practiceScope, job, practice.Record{Noun: l.noun, Practice: n.id}); err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, n.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	answer, err := l.read(ctx, &n)
	switch {
	case err != nil:
		return d.failed(ctx, &n, since, err, job.EnqueuedAt)
	case answer.Partial:
		return tasks.Permanent(codes.VendorListPartial) // a row that is missing from a cut list may still exist
	}
	rows, unknown, err := own(ctx, d, &n, answer.Rows, l.place)
	if err != nil {
		return err
	}
	info, _, err := d.Store.Info(ctx, n.tenant, n.id)
	if err != nil {
		return err
	}
	list, known := l.from(&n, rows), l.known(info)
	odd := len(answer.SetAside) + len(unknown)
	if odd > 0 {
		list = withKnown(list, known, l.id)
	}
	ok, err := counts(ctx, d, &n, job.Args, tally{list: l.noun, rows: len(rows), found: len(list), known: len(known), since: since})
	if err != nil {
		return err
	}
	counted := ok && len(rows) > 0
	if counted || odd > 0 {
		if _, err := d.alertUnreadable(ctx, n.tenant, n.id, l.code, odd); err != nil {
			return err
		}
	}
	if !counted {
		return nil
	}
	if err := l.apply(ctx, &n, list, rows, since); err != nil {
		return applied(err)
	}
	return nil
}

// withKnown adds what is known to a list with rows that cannot be read or have no known practice:
// they may be of these records.
func withKnown[T any](list, known []T, id func(T) string) []T {
	for _, k := range known {
		if !slices.ContainsFunc(list, func(row T) bool { return id(row) == id(k) }) {
			list = append(list, k)
		}
	}
	slices.SortFunc(list, func(a, b T) int { return strings.Compare(id(a), id(b)) })
	return list
}

// alertUnreadable shows operators how many rows of a list cannot be read or have no known practice,
// or that none do. The run is done all the same: another call would return the same.
func (d Deps) alertUnreadable(ctx context.Context, id tenant.ID, practiceID string, code codes.Code, rows int) (changed bool, err error) {
	var found []ledger.Alert
	if rows > 0 {
		found = append(found, ledger.Alert{Code: code, Rows: rows})
	}
	scope := ledger.AlertScope{Tenant: id, Practice: practiceID, Codes: []codes.Code{code}}
	return d.setAlerts(ctx, scope, found...)
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
	_, err := d.setAlerts(ctx, scope, found...)
	return err
}
