package work

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
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
)

// patientsMark names the watermark of a practice's patients: the first day whose changes may not
// all have been read.
func patientsMark(practiceID string) string { return "patients:" + practiceID }

// patientChanges is one answer of the vendor about changed patients, on its way into the cache.
type patientChanges struct {
	Deps
	named
	window[tebra.Patient]
	since   cache.Grant
	today   civil.Date
	begin   civil.Date // the first day of those to read
	joins   bool       // no unread day precedes begin
	smaller bool       // the vendor cut a wider window
	odd     int        // rows that could not be read, or are of a practice that is not known
}

// syncPatients reads the patients that have changed since the watermark, applies them and advances
// the watermark. It reads the first window of the days since; the rest becomes another run, and a
// single day that the vendor cuts becomes a sweep.
//
// An empty answer counts only if the vendor has just stated the practice's name, and if it would
// advance the watermark only when a second answer is the same. An answer with rows that cannot be
// read confirms no record and leaves the watermark where it is: see alert. Days that begin after
// the watermark leave a gap, so they advance and confirm nothing. Running twice: one more call, no
// change.
//
// A day that is cut needs a sweep, but not another one while the last one had rows that cannot be
// read either: it would not advance the watermark. The days after it are read then.
func (d Deps) syncPatients(ctx context.Context, job *tasks.Job[tasks.SyncPatients]) error {
	n, err := d.openNamed(ctx, job.Tenant, job.Args.Practice, job.Lane)
	if err != nil {
		return err
	}
	if job.Args.From.IsZero() && job.Args.Days == 0 {
		confirmed := practice.Record{Noun: practice.NounPatientsConfirmation, Practice: n.id}
		if err := overtaken(ctx, d, n.practiceScope, job, confirmed); err != nil {
			return err
		}
	}
	p := &patientChanges{Deps: d, named: n, today: civil.DateOf(d.Now().In(n.Zone))}
	from, to, joins, err := d.unread(ctx, n.practiceScope, job.Args, p.today)
	if err != nil {
		return err
	}
	p.begin, p.joins = from, joins
	if p.since, err = d.Store.Begin(ctx, n.tenant); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	p.window, err = firstWindow(n.Vendor.Patients.Windows(ctx, tebra.ListPatientsRequest{
		PracticeName: n.name, ModifiedFrom: from.In(time.UTC), ModifiedTo: to.In(time.UTC),
	}))
	p.smaller = p.cut(to, "GetPatients")
	days := job.Args.Days
	if p.smaller {
		days = p.from.Days(p.to) + 1
	}
	switch {
	case err != nil && p.smaller: // keep the window size that the calls have found
		return d.demand(ctx, n.practiceScope, tasks.SyncPatients{Practice: n.id, From: p.from, Days: days})
	case err != nil:
		return d.failed(ctx, &n, p.since, err, job.EnqueuedAt)
	}
	if err := p.apply(ctx); err != nil {
		return err
	}
	if p.partial {
		swept, err := d.sweptInVain(ctx, n.practiceScope)
		if err != nil {
			return err
		}
		if !swept {
			return d.demand(ctx, n.practiceScope, tasks.SweepPatients{Practice: n.id})
		}
	} else if ok, err := p.conclude(ctx, job); !ok || err != nil {
		return err
	}
	switch {
	case p.to.Compare(p.today) <= 0:
		return d.demand(ctx, n.practiceScope, tasks.SyncPatients{Practice: n.id, From: p.to.Add(1), Days: days})
	case p.joins && p.odd == 0 && !p.partial:
		return p.confirm(ctx)
	}
	return nil
}

// confirm records that all changes have been read, and ends the alert about rows that could not be.
func (p *patientChanges) confirm(ctx context.Context) error {
	if err := p.Store.ConfirmPatients(ctx, p.tenant, p.id, p.since); err != nil {
		return err
	}
	_, err := p.alertUnreadable(ctx, p.tenant, p.id, codes.PatientsUnreadable, 0)
	return err
}

// apply caches the practice's rows and counts those that are odd.
func (p *patientChanges) apply(ctx context.Context) error {
	rows, unknown, err := own(ctx, p.Deps, &p.named, p.rows, func(r *tebra.Patient) place {
		return placeOf(r.PracticeID, r.PracticeName, r.Unread)
	})
	if err != nil {
		return err
	}
	p.rows, p.odd = rows, len(p.aside)+len(unknown)
	if err := p.applyPatients(ctx, p.practiceScope, p.today, rows, p.since); err != nil {
		return err
	}
	return p.alert(ctx)
}

// alert shows operators that rows cannot be read. Any record may be theirs, so none is confirmed,
// and the watermark stays: the next run reads the same days again. That lasts until the rows can be
// read, or for the lookBack days after which no record in the cache is as old as they are. Windows
// therefore do not grow beyond that. A new alert demands a sweep, which renews every record that
// can be read; runs that find such rows again do not, however many there are. Records that become
// old meanwhile are read one by one: see refetch.
//
// Windows after a gap do not count the rows before it, so they write nothing. The alert ends with
// a list that confirms the records.
func (p *patientChanges) alert(ctx context.Context) error {
	if p.odd == 0 || !p.joins {
		return nil
	}
	stands, err := p.stands(ctx, p.practiceScope, codes.PatientsUnreadable)
	if err != nil {
		return err
	}
	changed, err := p.alertUnreadable(ctx, p.tenant, p.id, codes.PatientsUnreadable, p.odd)
	if stands || !changed || err != nil {
		return err
	}
	return p.demand(ctx, p.practiceScope, tasks.SweepPatients{Practice: p.id})
}

// conclude advances the watermark if the answer counts, and reports whether the days after it are
// the next ones to read.
func (p *patientChanges) conclude(ctx context.Context, job *tasks.Job[tasks.SyncPatients]) (bool, error) {
	if p.odd > 0 {
		if len(p.rows) == 0 {
			return true, nil
		}
		return true, p.answered(ctx, &p.named, p.since, p.authorized)
	}
	end := p.today.Add(-overlap)
	if ok, err := p.counts(ctx, job, p.begin.Compare(end) < 0); !ok || err != nil || !p.joins {
		return ok, err
	}
	return true, p.advance(ctx, p.practiceScope, civil.Min(p.to.Add(1), end))
}

// counts reports whether the list counts, and demands what it lacks. An empty one that reads only
// days that were read before needs no second answer if the vendor has just stated the practice's
// name.
func (p *patientChanges) counts(ctx context.Context, job *tasks.Job[tasks.SyncPatients], ahead bool) (bool, error) {
	found := len(p.rows)
	if p.smaller {
		found++ // the answer that was cut had rows
	}
	if found == 0 {
		switch {
		case p.stated.Code != "":
			return false, p.recheck(ctx, &p.named)
		case !authorized(p.authorized, p.id, p.stated):
			return false, p.identify(ctx, &p.named)
		case p.recent() && !(ahead && p.joins):
			return true, nil
		}
	}
	again := job.Args
	again.From = p.begin
	return counts(ctx, p.Deps, &p.named, again, tally{list: practice.NounPatients, rows: len(p.rows), found: found, since: p.since, authorized: p.authorized})
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

// listCost is the cost of one list of patients in single reads, by the intervals that the vendor
// requires.
var listCost = int(policy("GetPatients").Interval / policy("GetPatient").Interval)

// refetch returns the tasks that read a day's patients at the lowest cost. Each missing record
// needs a call of its own. For records that are merely old, one list of changes replaces the single
// calls if these would cost more. It does not while the list confirms no record: each reading of
// the day would demand it again, and the records would stay old.
func (d Deps) refetch(ctx context.Context, s practiceScope, f practice.Fetch) ([]tasks.Args, error) {
	var out []tasks.Args
	single := f.Missing
	list := len(f.Aged) > listCost
	if list {
		stands, err := d.stands(ctx, s, codes.PatientsUnreadable, codes.SweepUnreadable, codes.PatientsCut)
		if err != nil {
			return nil, err
		}
		list = !stands
	}
	if list {
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
	return out, nil
}
