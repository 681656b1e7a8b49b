package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
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

// checkReport is what the check prints.
type checkReport struct {
	OK              bool        `json:"ok"`
	Redis           string      `json:"redis"`
	Practices       int         `json:"practices"`
	Appointments    int         `json:"appointments"`
	Patients        int         `json:"patients"`
	Steps           []checkStep `json:"steps"`
	VendorCalls     int         `json:"vendor_calls"`
	ThrottleRefused int         `json:"throttle_refusals"`
	AttemptsBurnt   int         `json:"attempts_burnt"`
	Reads           int         `json:"reads"`
	HitRatio        float64     `json:"hit_ratio"`
	ChangeToEventMS float64     `json:"change_to_event_ms"` // median, from the vendor's edit to the event in the log
	Changes         int         `json:"changes"`
	PHISearched     int         `json:"phi_searched"` // keys, files and streams of bytes
	PHIHits         int         `json:"phi_hits"`
}

// checkStep is one part of the day and whether it went as it must.
type checkStep struct {
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

// check plays one day and verifies it.
func (e *env) check(ctx context.Context) error {
	c := &dayCheck{env: e, sink: &syncBuffer{}}
	err := c.play(ctx)
	c.report.OK = err == nil && !slices.ContainsFunc(c.report.Steps, func(s checkStep) bool { return !s.OK })
	if err != nil && len(c.report.Steps) == 0 {
		return err // it never began
	}
	if err != nil {
		e.say("%s", err)
	}
	if err := e.answer(c.report, c.write); err != nil {
		return err
	}
	if !c.report.OK {
		return &failure{Exit: exitCheck, Code: "CHECK", What: "the day did not go as it must", cause: errReported}
	}
	return nil
}

func (c *dayCheck) write(w io.Writer) {
	r := c.report
	_, _ = fmt.Fprintf(w, "%d practices, %d appointments, %d patients; redis: %s\n", r.Practices, r.Appointments, r.Patients, r.Redis)
	_, _ = fmt.Fprintf(w, "vendor calls %d, throttle refusals %d, attempts burnt %d\n", r.VendorCalls, r.ThrottleRefused, r.AttemptsBurnt)
	_, _ = fmt.Fprintf(w, "reads %d, hit ratio %.3f; %d changes, median %.0f ms from the vendor to the log\n", r.Reads, r.HitRatio, r.Changes, r.ChangeToEventMS)
	_, _ = fmt.Fprintf(w, "PHI: %d places searched, %d hits\n", r.PHISearched, r.PHIHits)
}

// dayCheck is one run of the check.
type dayCheck struct {
	env    *env
	login  func(process string) config.Redis // who each process is in a configured Redis; nil: all are the same
	demo   *app.Demo
	report checkReport
	sink   *syncBuffer        // the logs of all processes
	spans  *otlptest.Receiver // what they would send to a collector
	watch  *watcher

	mu    sync.Mutex
	burnt int

	canaryVisit, brokenVisit, brokenID string
}

// dayEnd is when both time zones have closed.
var dayEnd = time.Date(2026, 3, 2, 23, 31, 0, 0, time.UTC)

func (c *dayCheck) play(ctx context.Context) (err error) {
	if c.spans, err = otlptest.Listen(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.spans.Close()) }()
	log := logging.New(c.sink, logging.Options{JSON: true, Level: slog.LevelDebug})
	began := time.Now()
	c.demo, err = app.StartDemo(ctx, app.DemoOptions{
		QueueURL: c.env.getenv("ROUNDS_QUEUE_REDIS"), CacheURL: c.env.getenv("ROUNDS_CACHE_REDIS"), Speed: checkSpeed, Seed: 1,
		Latency: tebratest.Latency{P50: 60 * time.Millisecond, P95: 160 * time.Millisecond},
		Version: lifecycle.ReadBuild().Version, Logger: log, Collector: c.spans.URL(), Login: c.login, Prepare: c.plant,
		Ended: func(_ context.Context, r app.Run) {
			if r.Counted {
				c.mu.Lock()
				c.burnt++
				c.mu.Unlock()
			}
		},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoStop)
		defer cancel()
		err = errors.Join(err, c.demo.Close(ctx))
	}()
	c.done("start", began, nil)
	c.report.Redis, c.report.Practices = c.demo.Redis, len(c.demo.Practices)
	running, stop := context.WithCancel(ctx)
	c.watch = watch(running, c.demo, c.canaryVisit, c.brokenVisit)
	defer func() { stop(); c.watch.wait() }()

	c.step(ctx, "first sync fills every board", time.Minute, c.boardsFilled)
	c.watch.begin() // from here on boards are read and staff works
	c.step(ctx, "reads hit", 10*time.Second, c.readsHit)
	c.step(ctx, "a status change reaches board and log", 20*time.Second, c.statusChange)
	c.step(ctx, "a patient who cannot be fetched does not empty the board", 10*time.Second, c.brokenPatient)
	c.step(ctx, "an outage leaves the boards, with their age", 30*time.Second, c.outage)
	c.step(ctx, "the vendor comes back", 40*time.Second, c.recovery)
	c.step(ctx, "the patient's record comes after all", 40*time.Second, c.healedPatient)
	c.step(ctx, "the day ends as the vendor has it", 100*time.Second, c.dayEnds)
	stop()
	c.watch.wait()
	c.sum()
	c.step(ctx, "no throttle refusal, no attempt burnt, no dead letter", time.Second, c.untroubled)
	c.step(ctx, "processes stop in time", 10*time.Second, c.demo.StopProcesses)
	c.step(ctx, "no patient in any key, log, span or ledger column", 30*time.Second, c.searchPHI)
	return ctx.Err()
}

// plant puts the canaries into the first practice's day before anybody asks the vendor.
func (c *dayCheck) plant(v *tebratest.Server) error {
	clinic := v.Clinics()[0]
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, clinic.Location())
	add := func(first, last, phone string, at time.Time) (patient, visit string, err error) {
		p := clinic.AddPatient()
		if err := errors.Join(clinic.SetName(p.ID, first, last), clinic.SetPhone(p.ID, phone)); err != nil {
			return "", "", err
		}
		visit, err = clinic.Book(p.ID, at, 0)
		return p.ID, visit, err
	}
	var err error
	if _, c.canaryVisit, err = add(canaryFirst, canaryLast, canaryPhone, noon); err != nil {
		return err
	}
	if c.brokenID, c.brokenVisit, err = add(brokenFirst, brokenLast, canaryPhone, noon.Add(time.Hour)); err != nil {
		return err
	}
	v.FailPatient(c.brokenID, true)
	return nil
}

// step runs one part of the day, says how it went, and goes on: one failed part does not hide the others.
func (c *dayCheck) step(ctx context.Context, name string, limit time.Duration, do func(context.Context) error) {
	if ctx.Err() != nil {
		return
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	c.done(name, began, do(ctx))
}

func (c *dayCheck) done(name string, began time.Time, err error) {
	s := checkStep{Name: name, OK: err == nil, MS: time.Since(began).Milliseconds()}
	verdict := "ok  "
	if err != nil {
		s.Detail, verdict = err.Error(), "FAIL"
	}
	c.report.Steps = append(c.report.Steps, s)
	c.env.say("%s  %6d ms  %s %s", verdict, s.MS, name, s.Detail)
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

func (c *dayCheck) today(p app.DemoPractice) civil.Date {
	return civil.DateOf(c.demo.Clock.Now().In(p.Clinic.Location()))
}

func (c *dayCheck) board(ctx context.Context, p app.DemoPractice) (practice.BoardRead, error) {
	return c.demo.Tools.Store.Board(ctx, p.Tenant, p.ID, c.today(p))
}

func (c *dayCheck) sum() {
	for _, n := range c.demo.Vendor.Counts() {
		c.report.VendorCalls += n.Calls
		c.report.ThrottleRefused += n.Throttled
	}
	c.mu.Lock()
	c.report.AttemptsBurnt = c.burnt
	c.mu.Unlock()
	c.report.Reads, c.report.HitRatio = c.watch.hitRatio()
	c.report.Changes, c.report.ChangeToEventMS = c.watch.delay()
}
