// Package daycheck plays one day of a demo's practices and verifies it, for "rounds demo --check".
//
// The whole system runs in this process against the simulated vendor. Staff edits visits at the vendor, readers read
// boards, a record cannot be fetched, the vendor is away for a while; then everything that the day left behind is
// searched for two planted patients. [Run] returns what it saw as data.
package daycheck

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
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

// Options say what a day runs on. The zero value takes the Redis that a demo takes by default.
type Options struct {
	QueueURL, CacheURL string
	Login              func(process string) config.Redis // see app.DemoOptions
	// Step is called with every step that has ended. Nil: nobody.
	Step func(Step)
}

// Report is the result of a day.
type Report struct {
	OK              bool    `json:"ok"` // every step went as it must
	Redis           string  `json:"redis"`
	Practices       int     `json:"practices"`
	Appointments    int     `json:"appointments"`
	Patients        int     `json:"patients"`
	Steps           []Step  `json:"steps"`
	VendorCalls     int     `json:"vendor_calls"`
	ThrottleRefused int     `json:"throttle_refusals"`
	AttemptsUsed    int     `json:"attempts_burnt"`
	Reads           int     `json:"reads"`
	HitRatio        float64 `json:"hit_ratio"`
	ChangeToEventMS float64 `json:"change_to_event_ms"` // median, from the vendor's edit to the event in the log
	Changes         int     `json:"changes"`
	PHISearched     int     `json:"phi_searched"` // keys, files and streams of bytes
	PHIHits         int     `json:"phi_hits"`
}

// Step is one part of the day and whether it went as it must.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	MS     int64  `json:"ms"`
	Detail string `json:"detail,omitzero"`
}

// The canaries: two patients whose values are found nowhere else. The second one's record cannot be fetched.
const (
	canaryFirst, canaryLast, canaryPhone = "Zyxwine", "Quarrelvole", "555-719-0463"
	brokenFirst, brokenLast              = "Vexifrage", "Ombrewhistle"
)

const (
	speed     = 600              // of the calendar: the day takes a minute
	stopLimit = 12 * time.Second // for the worker's drain and what is closed after it
)

// dayEnd is when both time zones have closed.
var dayEnd = time.Date(2026, 3, 2, 23, 31, 0, 0, time.UTC)

// day is one run of the check.
type day struct {
	options      Options
	demo         *app.Demo
	report       Report
	log          logBuffer          // of all processes
	spans        *otlptest.Receiver // what they would send to a collector
	watch        *watcher
	attemptsUsed atomic.Int64

	canaryVisit, brokenVisit, brokenID string
}

// Run plays one day and verifies it. A step that failed does not hide the others: it is in the report, and is no error.
// An error is what kept the day from being played to its end; a report without steps never began.
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
	d.step(ctx, "no throttle refusal, no attempt burnt, no dead letter", time.Second, d.untroubled)
	d.step(ctx, "processes stop in time", 10*time.Second, d.demo.StopProcesses)
	d.step(ctx, "no patient in any key, log, span or ledger column", 30*time.Second, d.searchPHI)
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
				d.attemptsUsed.Add(1)
			}
		},
	}
}

// workday runs the steps during which boards are read and staff works.
func (d *day) workday(ctx context.Context) {
	running, stop := context.WithCancel(ctx)
	d.watch = watch(running, d.demo, d.canaryVisit, d.brokenVisit)
	defer func() { stop(); d.watch.wait() }()

	d.step(ctx, "first sync fills every board", time.Minute, d.boardsFilled)
	d.watch.begin() // from here on boards are read and staff works
	d.step(ctx, "reads hit", 10*time.Second, d.readsHit)
	d.step(ctx, "a status change reaches board and log", 20*time.Second, d.statusChange)
	d.step(ctx, "a patient who cannot be fetched does not empty the board", 10*time.Second, d.brokenPatient)
	d.step(ctx, "an outage leaves the boards, with their age", 30*time.Second, d.outage)
	d.step(ctx, "the vendor comes back", 40*time.Second, d.recovery)
	d.step(ctx, "the patient's record comes after all", 40*time.Second, d.healedPatient)
	d.step(ctx, "the day ends as the vendor has it", 100*time.Second, d.dayEnds)
}

// plant puts the canaries into the first practice's day before anybody asks the vendor.
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

// step runs one part of the day, and goes on: one failed part does not hide the others.
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

// until repeats try until it returns nil or ctx ends; then it returns what try said last, before the end of ctx itself
// was all it could say.
func until(ctx context.Context, try func() error) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		said := try()
		if said == nil {
			return nil
		}
		if due, ok := ctx.Deadline(); err == nil || ctx.Err() == nil && (!ok || time.Now().Before(due)) {
			err = said
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// wait ends after left, or with the context's error.
func wait(ctx context.Context, left time.Duration) error {
	timer := time.NewTimer(left)
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
	d.report.AttemptsUsed = int(d.attemptsUsed.Load())
	d.report.Reads, d.report.HitRatio = d.watch.hitRatio()
	d.report.Changes, d.report.ChangeToEventMS = d.watch.delay()
}
