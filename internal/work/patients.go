package work

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// lookBack is how many days back changes of patients matter: every record in the cache is
	// younger. The extra day covers a vendor whose date differs from the practice's.
	lookBack = int(cache.MaxHard/(24*time.Hour)) + 1
	// overlap is how many days before today are read again the next time: the vendor reports days
	// without times, in an unknown zone.
	overlap = 1
	// pageRows is how many patients one page of a sweep has.
	pageRows = 1000
)

// patientsMark names the watermark of a practice's patients: the first day whose changes may not
// all have been read.
func patientsMark(practiceID string) string { return "patients:" + practiceID }

// syncPatients reads the patients that have changed since the watermark, applies them and advances
// the watermark. It reads the first window of the days since; the rest becomes another run, and a
// single day that the vendor cuts becomes a sweep.
//
// An empty answer that would advance the watermark counts only when a second answer and the
// practice's identity confirm it. Days that begin after the watermark leave a gap, so they advance
// and confirm nothing. Running twice: one more call, no change.
func (d Deps) syncPatients(ctx context.Context, job *tasks.Job[tasks.SyncPatients]) error {
	n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
	if err != nil {
		return err
	}
	s := n.practiceScope
	today := civil.DateOf(d.Now().In(s.Zone))
	from, to, joins, err := d.unread(ctx, s, job.Args, today)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	w, err := firstWindow(s.Vendor.Patients.Windows(ctx, tebra.ListPatientsRequest{
		PracticeName: s.name, ModifiedFrom: from.In(time.UTC), ModifiedTo: to.In(time.UTC),
	}))
	days, cut := job.Args.Days, w.cut(to, "GetPatients")
	if cut {
		days = w.from.Days(w.to) + 1
	}
	switch {
	case err != nil && cut: // keep the window size that the calls have found
		return d.demand(ctx, s, tasks.SyncPatients{Practice: s.id, From: w.from, Days: days})
	case err != nil:
		return d.failed(ctx, &n, since, err, job.EnqueuedAt)
	}
	rows, _, err := own(ctx, d, &n, w.rows, func(p *tebra.Patient) (id, name string) { return p.PracticeID, p.PracticeName })
	if err != nil {
		return err
	}
	if err := d.applyPatients(ctx, s, today, rows, since); err != nil {
		return err
	}
	end := today.Add(-overlap)
	if w.partial {
		return d.demand(ctx, s, tasks.SweepPatients{Practice: s.id})
	}
	again := job.Args
	again.From = from
	found := len(rows) + len(w.aside)
	if cut {
		found++ // the answer that was cut had rows
	}
	if ok, err := d.patientsCount(ctx, &n, job, again, found, joins && from.Compare(end) < 0, since, w.authorized); !ok || err != nil {
		return err
	}
	if joins {
		if err := d.advance(ctx, s, civil.Min(w.to.Add(1), end)); err != nil {
			return err
		}
	}
	switch {
	case w.to.Compare(today) <= 0:
		return d.demand(ctx, s, tasks.SyncPatients{Practice: s.id, From: w.to.Add(1), Days: days})
	case joins:
		return d.Store.ConfirmPatients(ctx, s.tenant, s.id, since)
	}
	return nil
}

// patientsCount reports whether a list of changed patients counts, and demands what it lacks. An
// empty list that only confirms what was read before needs no second answer, but a name that the
// vendor has confirmed.
func (d Deps) patientsCount(ctx context.Context, n *named, job *tasks.Job[tasks.SyncPatients], again tasks.SyncPatients,
	rows int, advances bool, since cache.Grant, stated []string,
) (bool, error) {
	if rows == 0 && !advances {
		return n.stated.Confirms(n.name) > 0, d.recheck(ctx, n)
	}
	ok, err := counts(ctx, d, n, job, again, practice.NounPatients, rows, 0)
	if rows == 0 || !ok || err != nil {
		return ok, err
	}
	return true, d.answered(ctx, n, since, stated)
}

// unread returns the days to read next. They end tomorrow, because the vendor's date may be a day
// ahead. joins reports that no unread day precedes them.
func (d Deps) unread(ctx context.Context, s practiceScope, a tasks.SyncPatients, today civil.Date) (from, to civil.Date, joins bool, err error) {
	next, to := today.Add(-lookBack), today.Add(1)
	mark, ok, err := d.Ledger.Watermark(ctx, s.tenant, patientsMark(s.id))
	if err != nil {
		return civil.Date{}, civil.Date{}, false, fmt.Errorf("read watermark: %w", err)
	}
	if ok {
		next = civil.Max(next, civil.DateOf(mark.In(s.Zone)))
	}
	from = next
	if !a.From.IsZero() {
		from = a.From
	}
	from = civil.Min(from, to)
	if a.Days > 0 {
		to = civil.Min(to, from.Add(a.Days-1))
	}
	return from, to, from.Compare(next) <= 0, nil
}

// advance moves the watermark forward to a day. It never moves back.
func (d Deps) advance(ctx context.Context, s practiceScope, to civil.Date) error {
	if err := d.Ledger.Advance(ctx, s.tenant, patientsMark(s.id), to.In(s.Zone)); err != nil {
		return fmt.Errorf("advance watermark: %w", err)
	}
	return nil
}

// applyPatients caches the vendor's list, and demands new cards for the patients that changed if
// the cards were read recently.
func (d Deps) applyPatients(ctx context.Context, s practiceScope, today civil.Date, rows []tebra.Patient, since cache.Grant) error {
	all := make([]practice.Patient, len(rows))
	for i := range rows {
		all[i] = practice.FromPatient(&rows[i])
	}
	changed, applyErr := d.Store.ApplyPatients(ctx, s.tenant, since, all...)
	views, err := d.views(ctx, s, today, changed, nil)
	if err != nil {
		return err
	}
	if err := d.demand(ctx, s, views...); err != nil {
		return err
	}
	return applied(applyErr) // the demands came first, because the next attempt finds no change in what was applied
}

// sweepPatients reads one page of all patients and demands the next. The last page advances the
// watermark to where the sweep began; an empty page does not count as the last one, and advances
// nothing. A full page without the key of the next one is requested again with one row less: if
// there are no more patients, the vendor now returns a key for the last one. If it does not, the
// sweep is not complete. Running twice: one more call, and the demands join.
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
		return vendorError(err, job.EnqueuedAt)
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
	switch {
	case page.Next != "":
		return d.demand(ctx, s, tasks.SweepPatients{Practice: s.id, Page: tasks.EntityID(page.Next), Begun: begun})
	case page.Full && job.Args.Rows == 0:
		again := job.Args
		again.Rows = pageRows - 1
		return d.demand(ctx, s, again)
	case page.Full:
		return d.alertCut(ctx, s, ledger.Alert{Code: codes.PatientsCut})
	}
	if err := d.alertCut(ctx, s); err != nil {
		return err
	}
	return d.advance(ctx, s, begun.Add(-overlap))
}

// alertCut shows operators that a sweep did not reach the end, or no longer.
func (d Deps) alertCut(ctx context.Context, s practiceScope, found ...ledger.Alert) error {
	scope := ledger.AlertScope{Tenant: s.tenant, Practice: s.id, Codes: []codes.Code{codes.PatientsCut}}
	return d.setAlerts(ctx, scope, found...)
}

// listCost is the cost of one list of patients in single reads, by the intervals that the vendor
// requires.
var listCost = int(policy("GetPatients").Interval / policy("GetPatient").Interval)

// refetch returns the tasks that read a day's patients at the lowest cost. Each missing record
// needs a call of its own. For records that are merely old, one list of changes replaces the single
// calls if these would cost more.
func refetch(s practiceScope, f practice.Fetch) []tasks.Args {
	var out []tasks.Args
	single := f.Missing
	if len(f.Aged) > listCost {
		out = append(out, tasks.SyncPatients{Practice: s.id})
	} else {
		single = append(single, f.Aged...)
	}
	for _, id := range single {
		p := tasks.SyncPatient{Practice: s.id, Patient: tasks.PatientID(id.Reveal())}
		if p.Validate() == nil { // an invalid identifier must not block the others
			out = append(out, p)
		}
	}
	return out
}
