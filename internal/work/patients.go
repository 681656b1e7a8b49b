package work

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// lookBack is how many days back changes of patients matter: a record in the cache is younger, and one day more covers
	// that the vendor's day may not be the practice's.
	lookBack = int(cache.MaxHard/(24*time.Hour)) + 1
	// overlap is how many days before today are read again the next time: the vendor tells days and no times, and not in
	// whose zone.
	overlap = 1
	// pageRows is how many patients one page of a sweep has.
	pageRows = 1000
)

// patientsMark names the watermark of a practice's patients: the first day whose changes may not all have been read.
func patientsMark(practiceID string) string { return "patients:" + practiceID }

// syncPatients reads the patients who have changed since the watermark, applies them and moves it on. A window that the
// vendor cut is read in halves, down to one day; a day that it cuts becomes a sweep. An empty answer that would move the
// watermark over days is believed when a second look agrees. A window that begins behind the watermark leaves days out, so
// it moves and confirms nothing. Running twice: one more call, no change.
func (d Deps) syncPatients(ctx context.Context, job *tasks.Job[tasks.SyncPatients]) error {
	s, err := d.open(ctx, job.Tenant, job.Args.Practice)
	if err != nil {
		return err
	}
	today := civil.DateOf(d.Now().In(s.Zone))
	from, to, joins, err := d.window(ctx, s, job.Args, today)
	if err != nil {
		return err
	}
	since, err := d.Store.Begin(ctx, s.tenant)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	list, err := s.Vendor.Patients.List(ctx, tebra.ListPatientsRequest{
		PracticeName: s.name, ModifiedFrom: from.In(time.UTC), ModifiedTo: to.In(time.UTC),
	})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	if err := d.applyPatients(ctx, s, today, list.Rows, since); err != nil {
		return err
	}
	end := today.Add(-overlap)
	switch {
	case list.Partial:
		return d.narrow(ctx, s, from, to)
	case len(list.Rows) == 0 && job.Args.From.IsZero() && from.Compare(end) < 0:
		job.Args.From = from
		return lookAgain(ctx, d, job)
	case joins:
		if err := d.advance(ctx, s, civil.Min(to.Add(1), end)); err != nil {
			return err
		}
	}
	if to.Compare(today.Add(1)) < 0 {
		return d.demand(ctx, s, tasks.SyncPatients{Practice: s.id, From: to.Add(1), Days: job.Args.Days})
	}
	if !joins {
		return nil
	}
	return d.Store.ConfirmPatients(ctx, s.tenant, s.id, since)
}

// window is what has to be read next: up to tomorrow, which may have begun where the vendor is. It joins what was read
// before if no day lies between.
func (d Deps) window(ctx context.Context, s site, a tasks.SyncPatients, today civil.Date) (from, to civil.Date, joins bool, err error) {
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

// advance moves the watermark to a day. It never moves back.
func (d Deps) advance(ctx context.Context, s site, to civil.Date) error {
	if err := d.Ledger.Advance(ctx, s.tenant, patientsMark(s.id), to.In(s.Zone)); err != nil {
		return fmt.Errorf("move watermark: %w", err)
	}
	return nil
}

// narrow demands the first half of a window. A day that is too much by itself has more changes than the vendor lists, and
// reading everybody is the only way on.
func (d Deps) narrow(ctx context.Context, s site, from, to civil.Date) error {
	days := from.Days(to) + 1
	if days == 1 {
		return d.demand(ctx, s, tasks.SweepPatients{Practice: s.id})
	}
	return d.demand(ctx, s, tasks.SyncPatients{Practice: s.id, From: from, Days: (days + 1) / 2})
}

// applyPatients caches what the vendor listed, and has the cards of those who changed made anew if somebody reads them.
func (d Deps) applyPatients(ctx context.Context, s site, today civil.Date, rows []tebra.Patient, since cache.Grant) error {
	all := make([]practice.Patient, len(rows))
	for i := range rows {
		all[i] = practice.FromPatient(&rows[i])
	}
	changed, notAll := d.Store.ApplyPatients(ctx, s.tenant, since, all...)
	views, err := d.views(ctx, s, today, changed, nil)
	if err != nil {
		return err
	}
	if err := d.demand(ctx, s, views...); err != nil {
		return err
	}
	return applied(notAll) // the next attempt finds no change in those that were
}

// sweepPatients reads one page of all patients and demands the next. The last one moves the watermark to where the sweep
// began; an empty one is no last one, and moves nothing. Running twice: one more call, and the demands join.
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
		PracticeID: s.id, From: phi.Text(job.Args.Page), Size: pageRows,
	})
	if err != nil {
		return vendorError(err, job.EnqueuedAt)
	}
	if len(page.Rows) == 0 {
		return nil
	}
	if err := d.applyPatients(ctx, s, today, page.Rows, since); err != nil {
		return err
	}
	if page.Next == "" {
		return d.advance(ctx, s, begun.Add(-overlap))
	}
	return d.demand(ctx, s, tasks.SweepPatients{Practice: s.id, Page: tasks.EntityID(page.Next), Begun: begun})
}

// listCost is how many single reads of patients one list of them costs the account, by the spacing that the vendor wants.
var listCost = int(interval("GetPatients") / interval("GetPatient"))

func interval(operation string) time.Duration {
	for _, op := range tebra.Operations() {
		if op.Name == operation {
			return op.Interval
		}
	}
	panic("work: no operation " + operation) //nolint:forbidigo // the policy table is part of the program
}

// refetch is the cheapest way to a day's patients: a call for each whose record is missing, and for those whose records
// merely grew old one list of what has changed, if they are more than such a list costs.
func refetch(s site, f practice.Fetch) []tasks.Args {
	var out []tasks.Args
	single := f.Missing
	if len(f.Aged) > listCost {
		out = append(out, tasks.SyncPatients{Practice: s.id})
	} else {
		single = append(single, f.Aged...)
	}
	for _, id := range single {
		p := tasks.SyncPatient{Practice: s.id, Patient: tasks.PatientID(id.Reveal())}
		if p.Validate() == nil { // one that cannot be asked for must not keep the others from it
			out = append(out, p)
		}
	}
	return out
}
