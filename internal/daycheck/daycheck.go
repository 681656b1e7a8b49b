// Package daycheck plays one day of a demo's practices and verifies it, for "rounds demo --check".
//
// The whole system runs in this process against the simulated vendor. Staff edit visits at the
// vendor, readers read boards, one record cannot be fetched, and the vendor has an outage.
// Afterwards the check searches all data that the day produced for two planted patients. [Run]
// returns the results as data.
package daycheck

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// Options configure Run. The zero value uses the Redis that a demo uses by default.
type Options struct {
	QueueURL, CacheURL string
	Login              func(process string) config.Redis // see app.DemoOptions
	// Step, if not nil, is called when a step has ended.
	Step func(Step)
}

// Report is the result of one day.
type Report struct {
	OK              bool    `json:"ok"` // every step succeeded
	Redis           string  `json:"redis"`
	Practices       int     `json:"practices"`
	Appointments    int     `json:"appointments"`
	Patients        int     `json:"patients"`
	Steps           []Step  `json:"steps"`
	VendorCalls     int     `json:"vendor_calls"`
	ThrottleRefused int     `json:"throttle_refusals"`
	AttemptsUsed    int     `json:"attempts_burnt"` // those of the record that cannot be fetched are left out
	Reads           int     `json:"reads"`
	HitRatio        float64 `json:"hit_ratio"`
	ChangeToEventMS float64 `json:"change_to_event_ms"` // median, from the vendor's edit to the event in the log
	Changes         int     `json:"changes"`
	PHISearched     int     `json:"phi_searched"` // keys, files, logs and spans
	PHIHits         int     `json:"phi_hits"`
}

// Step is the result of one part of the day.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	MS     int64  `json:"ms"`
	Detail string `json:"detail,omitzero"`
}

// The canaries are two patients with values that appear nowhere else. The record of the second one
// cannot be fetched.
const (
	canaryFirst, canaryLast, canaryPhone = "Zyxwine", "Quarrelvole", "555-719-0463"
	brokenFirst, brokenLast              = "Vexifrage", "Ombrewhistle"
)

const (
	speed     = 600              // calendar time per real time: the day takes a minute
	stopLimit = 12 * time.Second // covers the worker's drain and closing the stores
)

// dayEnd is a time at which the practices of both time zones are closed.
var dayEnd = time.Date(2026, 3, 2, 23, 31, 0, 0, time.UTC)

// day is one run of the check.
type day struct {
	options  Options
	demo     *app.Demo
	report   Report
	log      logBuffer          // the log of all processes
	spans    *otlptest.Receiver // receives the spans of all processes
	watch    *watcher
	failures failures

	canaryVisit, brokenVisit, brokenID string
}

// Run plays one day and verifies it. The report contains failed steps, and the steps after them run
// all the same. Run returns an error if the day could not be played to its end. A report without
// steps means that it could not start.
func Run(ctx context.Context, o Options) (Report, error) {
	d := &day{options: o}
	err := d.play(ctx)
	d.report.OK = err == nil && !slices.ContainsFunc(d.report.Steps, func(s Step) bool { return !s.OK })
	return d.report, err
}

func (d *day) play(ctx context.Context) (err error) {
	if d.spans, err = otlptest.Listen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.spans.Close()) }()
	began := time.Now()
	if d.demo, err = app.StartDemo(ctx, d.demoOptions()); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, d.demo.Close(ctx))
	}()
	d.done("start", began, nil)
	d.report.Redis, d.report.Practices = d.demo.Redis, len(d.demo.Practices)
	d.workday(ctx)
	d.sum()
	d.step(ctx, "no throttle refusal, no failed attempt, no dead letter", time.Second, d.untroubled)
	d.step(ctx, "the processes stop in time", 10*time.Second, d.demo.StopProcesses)
	d.step(ctx, "no patient data in any key, log, span or ledger column", 30*time.Second, d.searchPHI)
	return ctx.Err()
}

func (d *day) demoOptions() app.DemoOptions {
	return app.DemoOptions{
		QueueURL: d.options.QueueURL, CacheURL: d.options.CacheURL, Login: d.options.Login, Speed: speed, Seed: 1,
		Latency: tebratest.Latency{P50: 60 * time.Millisecond, P95: 160 * time.Millisecond},
		Version: lifecycle.ReadBuild().Version, Logger: logging.New(&d.log, logging.Options{JSON: true, Level: slog.LevelDebug}),
		Collector: d.spans.URL(), Prepare: d.plant,
		Ended: func(_ context.Context, r app.Run) {
			if r.Counted {
				d.failures.add(r.ID)
			}
		},
	}
}

// workday runs the steps that need readers and staff.
func (d *day) workday(ctx context.Context) {
	running, stop := context.WithCancel(ctx)
	d.watch = watch(running, d.demo, d.canaryVisit, d.brokenVisit)
	defer func() { stop(); d.watch.wait() }()

	d.step(ctx, "the first sync fills every board", time.Minute, d.boardsFilled)
	d.watch.begin() // readers and staff start here
	d.step(ctx, "reads hit the cache", 10*time.Second, d.readsHit)
	d.step(ctx, "a status change reaches the board and the event log", 20*time.Second, d.statusChange)
	d.step(ctx, "a patient that cannot be fetched does not empty the board", 10*time.Second, d.brokenPatient)
	d.step(ctx, "boards survive an outage and show their age", 30*time.Second, d.outage)
	d.step(ctx, "boards are fresh again after the outage", 40*time.Second, d.recovery)
	d.step(ctx, "the missing record is fetched later", 40*time.Second, d.healedPatient)
	d.step(ctx, "boards match the vendor at the end of the day", 100*time.Second, d.dayEnds)
}

// plant adds the canaries to the first practice's day before the first vendor call.
func (d *day) plant(v *tebratest.Server) error {
	clinic := v.Clinics()[0]
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, clinic.Location())
	add := func(first, last string, at time.Time) (patient, visit string, err error) {
		p := clinic.AddPatient()
		if err := errors.Join(clinic.SetName(p.ID, first, last), clinic.SetPhone(p.ID, canaryPhone)); err != nil {
			return "", "", err
		}
		visit, err = clinic.Book(p.ID, at, 0)
		return p.ID, visit, err
	}
	var err error
	if _, d.canaryVisit, err = add(canaryFirst, canaryLast, noon); err != nil {
		return err
	}
	if d.brokenID, d.brokenVisit, err = add(brokenFirst, brokenLast, noon.Add(time.Hour)); err != nil {
		return err
	}
	v.FailPatient(d.brokenID, true)
	return nil
}

// step runs one part of the day and records its result.
func (d *day) step(ctx context.Context, name string, limit time.Duration, do func(context.Context) error) {
	if ctx.Err() != nil {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d.done(name, began, do(ctx))
}

func (d *day) done(name string, began time.Time, err error) {
	s := Step{Name: name, OK: err == nil, MS: time.Since(began).Milliseconds()}
	if err != nil {
		s.Detail = err.Error()
	}
	d.report.Steps = append(d.report.Steps, s)
	if d.options.Step != nil {
		d.options.Step(s)
	}
}

// until calls try repeatedly until it returns nil or ctx ends. Then it returns the last error of a
// call that ended before ctx, because the error of a call that ctx cut off explains nothing.
func until(ctx context.Context, try func() error) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		last := try()
		if last == nil {
			return nil
		}
		if due, ok := ctx.Deadline(); err == nil || ctx.Err() == nil && (!ok || time.Now().Before(due)) {
			err = last
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// wait returns after d, or with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

func (d *day) today(p app.DemoPractice) civil.Date {
	return civil.DateOf(d.demo.Clock.Now().In(p.Clinic.Location()))
}

func (d *day) board(ctx context.Context, p app.DemoPractice) (practice.BoardRead, error) {
	return d.demo.Tools.Store.Board(ctx, p.Tenant, p.ID, d.today(p))
}

func (d *day) sum() {
	for _, n := range d.demo.Vendor.Counts() {
		d.report.VendorCalls += n.Calls
		d.report.ThrottleRefused += n.Throttled
	}
	d.report.AttemptsUsed = d.failures.unexpected()
	d.report.Reads, d.report.HitRatio = d.watch.hitRatio()
	d.report.Changes, d.report.ChangeToEventMS = d.watch.delay()
}
