package vendoroutage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/tasks"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

const (
	// badEvery is how often the bad records are demanded.
	badEvery = time.Minute
	// firstBad is how many days after today the first bad day is, and badApart how far they are
	// apart: no list of another day reaches so far back.
	firstBad, badApart = 420, 70
)

// badRun is a fleet that reads records steadily, with or without bad ones among them.
type badRun struct {
	settings

	d     *process.Deployment
	today tasks.Date
	end   time.Time
	good  int // patients of each account that are demanded once each
}

// observed is what one run showed.
type observed struct {
	patients, days []time.Duration // how long the good records waited
	unserved       int
	openings       []opening
	failed         int // calls that failed
	dead, marked   int // bad records
	unmarked       int
	attempts       []int // of the marked ones
}

// badRecords reads good records beside bad ones, and the same without bad ones, at once.
func badRecords(ctx context.Context, s settings) ([]report.Row, error) {
	both, err := parts.AtOnce([]bool{true, false}, func(bad bool) (observed, error) { return runBad(ctx, s, bad) })
	if err != nil {
		return nil, err
	}
	return badRows(s, both[0], both[1]), nil
}

func runBad(ctx context.Context, s settings, bad bool) (o observed, err error) {
	good := int(s.badFor/s.patientEvery(s.interval)) + 2
	accounts := s.accountsOf(good + s.badPatients)
	r := badRun{settings: s, today: tasks.DateOf(time.Now()), good: good}
	d, w, err := s.start(ctx, accounts, func(d *process.Deployment) error {
		for i, a := range accounts {
			if err := d.Vendor.SetFaults(ctx, a.Tenant, r.faults(i, bad)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, d.Close(ctx)) }()
	r.d = d
	goods, bads, err := r.demand(ctx, bad)
	if err == nil {
		err = process.Pause(ctx, s.latency+10*time.Second) // the last ones are served
	}
	openings, watchErr := w.end()
	if err := errors.Join(err, watchErr); err != nil {
		return o, err
	}
	if o, err = r.observe(ctx, goods, bads); err != nil {
		return o, err
	}
	o.openings = openings
	return o, nil
}

// patientEvery is how often an account demands a patient.
func (s settings) patientEvery(spacing time.Duration) time.Duration {
	return time.Duration(float64(spacing) / s.share)
}

// accountOf returns which account has the n-th bad record: half of the accounts have some.
func (s settings) accountOf(n int) int { return n % max(1, s.accounts/2) }

// badPatient returns the number of the n-th bad patient. All accounts have that many patients.
func (r *badRun) badPatient(n int) int { return r.good + n }

func (r *badRun) badDay(n int) tasks.Date { return r.today.Add(firstBad + n*badApart) }

// faults returns what always fails of an account, if there are bad records.
func (r *badRun) faults(account int, bad bool) (f tebratest.Faults) {
	if !bad {
		return f
	}
	for n := range r.badPatients {
		if r.accountOf(n) == account {
			f.FailPatients = append(f.FailPatients, process.Patient(r.badPatient(n)))
		}
	}
	for n := range r.badDays {
		if r.accountOf(n) == account {
			f.FailDays = append(f.FailDays, r.badDay(n).String())
		}
	}
	return f
}

// demand demands good records of all accounts steadily, and the bad ones once a minute.
func (r *badRun) demand(ctx context.Context, bad bool) (goods, bads []demanded, err error) {
	r.end = time.Now().Add(r.badFor)
	client := r.d.Tools.Tasks
	var steady []func() ([]demanded, error)
	for _, a := range r.d.Accounts {
		steady = append(steady,
			func() ([]demanded, error) {
				return steadily(ctx, r.patientEvery(a.Spacing()), r.end, func(n int) (demanded, error) { return demandPatient(ctx, client, a, n) })
			},
			func() ([]demanded, error) {
				return steadily(ctx, r.dayEvery, r.end, func(n int) (demanded, error) { return demandDay(ctx, client, a, r.today.Add(1+2*n)) })
			})
	}
	var badErr error
	var wg sync.WaitGroup
	if bad {
		wg.Go(func() { bads, badErr = r.demandBad(ctx) })
	}
	all, err := parts.AtOnce(steady, func(do func() ([]demanded, error)) ([]demanded, error) { return do() })
	wg.Wait()
	return slices.Concat(all...), bads, errors.Join(err, badErr)
}

func (r *badRun) demandBad(ctx context.Context) (all []demanded, err error) {
	for time.Now().Before(r.end) {
		for n := range r.badPatients {
			d, err := demandPatient(ctx, r.d.Tools.Tasks, r.d.Accounts[r.accountOf(n)], r.badPatient(n))
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		for n := range r.badDays {
			d, err := demandDay(ctx, r.d.Tools.Tasks, r.d.Accounts[r.accountOf(n)], r.badDay(n))
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
		if err := process.Pause(ctx, min(badEvery, time.Until(r.end))); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// observe reads how long the good records waited, and what became of the bad ones.
func (r *badRun) observe(ctx context.Context, goods, bads []demanded) (o observed, err error) {
	now := time.Now()
	l, err := readLogs(ctx, r.d.Vendor, r.d.Accounts)
	if err != nil {
		return o, err
	}
	var unserved int
	o.patients, o.unserved = delays(goods, process.Operation, l, now)
	o.days, unserved = delays(goods, "GetAppointments", l, now)
	o.unserved += unserved
	for _, t := range l.calls {
		o.failed += len(t.With(tebratest.OutcomeFault))
	}
	return o, r.fates(ctx, bads, &o)
}

// fates counts the bad records that are dead letters, those with a failed attempt in the queue's
// record of their task, and the others.
func (r *badRun) fates(ctx context.Context, bads []demanded, o *observed) error {
	byRecord := map[string][]string{}
	for _, d := range bads {
		record := d.account.Tenant + " " + d.patient + " " + d.day.String()
		byRecord[record] = append(byRecord[record], d.task)
	}
	for _, ids := range byRecord {
		slices.Sort(ids)
		states, err := r.d.Tools.Ledger.DeadLetterStates(ctx, slices.Compact(ids))
		if err != nil {
			return err
		}
		most := 0
		for _, id := range ids {
			status, err := r.d.Tools.Tasks.Status(ctx, id)
			if err != nil {
				return err
			}
			used, _ := attempts(status)
			most = max(most, used)
		}
		switch {
		case len(states) > 0:
			o.dead++
		case most > 0:
			o.marked, o.attempts = o.marked+1, append(o.attempts, most)
		default:
			o.unmarked++
		}
	}
	return nil
}

func badRows(s settings, with, without observed) []report.Row {
	p95 := func(waits []time.Duration) time.Duration { return vendorlog.Percentile(waits, 95) }
	ratio := func(a, b []time.Duration) float64 { return float64(p95(a)) / float64(max(1, p95(b))) }
	short := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	slices.Sort(with.attempts)
	bad := fmt.Sprintf("%d patients and %d days of schedules failed for %v, demanded every %v", s.badPatients, s.badDays, s.badFor, badEvery)
	records := s.badPatients + s.badDays
	return []report.Row{
		report.Once("others-delayed-p95", "× without", report.Lower, new(1.1), max(ratio(with.patients, without.patients), ratio(with.days, without.days)),
			fmt.Sprintf("p95 of the time from the demand to the response, the worse of patients (%v with bad records and %v without, %d demands) and days (%v and %v, %d); "+
				"not served: %d with and %d without", short(p95(with.patients)), short(p95(without.patients)), len(with.patients),
				short(p95(with.days)), short(p95(without.days)), len(with.days), with.unserved, without.unserved)),
		report.Once("openings", "openings", report.Lower, new(0.0), float64(len(with.openings)),
			fmt.Sprintf("times that a breaker in Redis opened; %s; without bad records: %s", describe(with.openings), describe(without.openings))),
		report.Cases("openings", 2*records, with.failed, "calls that failed; "+bad),
		report.Once("bad-records-unmarked", "records", report.Lower, new(0.0), float64(with.unmarked),
			fmt.Sprintf("bad records that are neither dead letters nor have a failed attempt; %d are dead, %d have failed attempts: %v", with.dead, with.marked, with.attempts)),
		report.Cases("bad-records-unmarked", records, with.dead+with.marked+with.unmarked, "bad records; "+bad),
	}
}
