package work

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/tasks"
)

// pageRows is how many patients one page of a sweep has.
const pageRows = 1000

// sweepPatients reads one page of all patients and demands the next. The last page advances the
// watermark to where the sweep began; an empty page does not count as the last one, and advances
// nothing. A full page without the key of the next one is requested again with one row less: if
// there are no more patients, the vendor now returns a key for the last one. If it does not, the
// sweep is not complete. Neither is one with rows that cannot be read: the tasks of its pages count
// them. Running twice: one more call, and the demands join.
func (d Deps) sweepPatients(ctx context.Context, job *tasks.Job[tasks.SweepPatients]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	today := civil.DateOf(d.Now().In(s.Zone))
	begun := today
	if !job.Args.Begun.IsZero() {
		begun = job.Args.Begun
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	page, err := s.Vendor.Patients.Page(ctx, tebra.PatientPagesRequest{
		PracticeID: s.id, From: phi.Text(job.Args.Page), Size: cmp.Or(job.Args.Rows, pageRows),
	})
	if err != nil {
		return d.vendorError(ctx, s.tenant, err, job.EnqueuedAt)
	}
	if len(page.Rows)+len(page.SetAside) == 0 {
		n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
		if err != nil {
			return err
		}
		return d.recheck(ctx, &n)
	}
	if err := d.applyPatients(ctx, s, today, page.Rows, since); err != nil {
		return err
	}
	unread := job.Args.Unread + len(page.SetAside)
	switch {
	case page.Next != "":
		return d.demand(ctx, s, tasks.SweepPatients{Practice: s.id, Page: tasks.EntityID(page.Next), Begun: begun, Unread: unread})
	case page.Full && job.Args.Rows == 0:
		again := job.Args
		again.Rows = pageRows - 1
		return d.demand(ctx, s, again)
	case page.Full:
		return d.alertSweep(ctx, s, unread, ledger.Alert{Code: codes.PatientsCut})
	}
	if err := d.alertSweep(ctx, s, unread); err != nil || unread > 0 {
		return err
	}
	return d.advance(ctx, s, begun.Add(-overlap))
}

// alertSweep shows operators why a sweep that has ended is not complete.
func (d Deps) alertSweep(ctx context.Context, s practiceScope, unread int, found ...ledger.Alert) error {
	if unread > 0 {
		found = append(found, ledger.Alert{Code: codes.SweepUnreadable, Rows: unread})
	}
	scope := ledger.AlertScope{Tenant: s.tenant, Practice: s.id, Codes: []codes.Code{codes.PatientsCut, codes.SweepUnreadable}}
	_, err := d.setAlerts(ctx, scope, found...)
	return err
}

// sweepAgain is how old an incomplete sweep becomes before a cut day demands another one: as old as
// the records that it renewed may become.
const sweepAgain = 24 * time.Hour

// sweptInVain reports whether a sweep of the last day has not been complete.
func (d Deps) sweptInVain(ctx context.Context, s practiceScope) (bool, error) {
	found, err := d.standing(ctx, s, codes.PatientsCut, codes.SweepUnreadable)
	return slices.ContainsFunc(found, func(a ledger.Alert) bool { return time.Since(a.Last) < sweepAgain }), err
}
