// Package report writes the status document, which shows operators how a deployment is doing, from
// the queue, flow control, the ledger and the cached days.
package report

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
	"github.com/workflow-bolt/rounds/tasks"
)

// limit bounds one report, so that it is written or given up before the next. Reading may take
// readLimit of it: a store that does not answer must not prevent the report that says so.
const (
	limit     = status.Every - 200*time.Millisecond
	readLimit = limit - 400*time.Millisecond
)

// Reporter writes the status document. All fields are required.
type Reporter struct {
	Queue  redis.UniversalClient // read for workers; the document is written there too
	Flow   *flow.Flow            // only read: a reporter acquires nothing
	Ledger *ledger.Ledger
	Store  *practice.Store
	Now    func() time.Time // the calendar
	Logger *slog.Logger

	counted time.Time           // when the alerts were counted last
	alerted map[codes.Code]bool // the codes of alerts so far
}

// Run writes a report every two seconds until ctx ends. It logs the first of several failures in a
// row; readers notice a missing report by the document's age.
func (r *Reporter) Run(ctx context.Context) error {
	tick := time.NewTicker(status.Every)
	defer tick.Stop()
	for failing := false; ; {
		err := r.Write(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			r.Logger.WarnContext(ctx, "status document cannot be written", "error", err)
		case err == nil && failing:
			r.Logger.InfoContext(ctx, "status document writes resumed")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Write writes one report. A part that cannot be read is listed as missing, so that an unreachable
// store does not hide the others' data.
func (r *Reporter) Write(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return status.Write(ctx, r.Queue, r.read(ctx))
}

// read returns the report.
func (r *Reporter) read(ctx context.Context) status.Document {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	d := status.Document{At: time.Now().UTC(), Attempts: map[string]int{}}
	for _, k := range tasks.Kinds() {
		d.Attempts[k.Name] = k.Options.MaxAttempts
	}
	missing := func(err error, parts ...string) bool {
		if err == nil {
			return false
		}
		// After one store has used up the time, the next is not to blame.
		o := outage.Of(err)
		if o != nil && (!o.Slow || len(d.Missing) == 0) && !slices.Contains(d.Unavailable, o.Store.String()) {
			d.Unavailable = append(d.Unavailable, o.Store.String())
		}
		d.Missing = append(d.Missing, parts...)
		return true
	}
	workers, err := queue.Workers(ctx, r.Queue)
	missing(err, "workers")
	for _, w := range workers {
		d.Workers = append(d.Workers, status.Worker{Name: w.Name, Slots: w.Slots, Busy: w.Busy, Started: w.Started})
	}
	r.countAlerts(ctx)
	tenants, err := r.Ledger.Tenants(ctx)
	if missing(err, "budgets", "breakers", "freshness") {
		return d
	}
	ids := make([]tenant.ID, len(tenants))
	for i, t := range tenants {
		ids[i] = t.ID
	}
	d.Budgets, err = r.budgets(ctx, ids)
	missing(err, "budgets")
	missing(r.turns(ctx, d.Budgets), "turns")
	d.Breakers, err = r.breakers(ctx, ids)
	missing(err, "breakers")
	d.Freshness, err = r.freshness(ctx, tenants)
	missing(err, "freshness")
	return d
}

// countEvery is how often the alerts are counted for the metric.
const countEvery = 30 * time.Second

// countAlerts records the number of alerts by code, which is zero for a code whose alerts are over.
func (r *Reporter) countAlerts(ctx context.Context) {
	if time.Since(r.counted) < countEvery {
		return
	}
	counts, err := r.Ledger.AlertCounts(ctx, ledger.AlertFilter{})
	if err != nil {
		return // the ledger's other parts of the report are missing too
	}
	if r.counted = time.Now(); r.alerted == nil {
		r.alerted = map[codes.Code]bool{}
	}
	for code := range r.alerted {
		r.alerted[code] = false
	}
	for _, c := range counts {
		r.alerted[c.Code] = true
		telemetry.AlertsCounted(ctx, string(c.Code.Shown()), c.Alerts)
	}
	for code, lasts := range r.alerted {
		if !lasts {
			telemetry.AlertsCounted(ctx, string(code.Shown()), 0)
			delete(r.alerted, code)
		}
	}
}

// budgets returns the budgets, those that block calls first, and of the first ones how much of them
// was used.
func (r *Reporter) budgets(ctx context.Context, ids []tenant.ID) ([]status.Budget, error) {
	found, err := r.Flow.Budgets(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]status.Budget, len(found))
	for i, b := range found {
		out[i] = status.Budget{
			Tenant: b.Tenant, Operation: b.Operation, Spacing: b.Spacing, Next: b.Next, Blocked: b.Blocked, Backlog: b.Backlog,
		}
	}
	usages, err := r.Flow.Usages(ctx, found[:min(len(found), detailed)]...)
	if err != nil {
		return nil, err
	}
	for i, u := range usages {
		_, out[i].Used = u.Shares(out[i].Spacing)
	}
	return out, nil
}

// detailed is how many budgets have all details: those that a page shows.
const detailed = 100

// turns adds the turns of the tenants to the first budgets.
func (r *Reporter) turns(ctx context.Context, budgets []status.Budget) error {
	budgets = budgets[:min(len(budgets), detailed)]
	ids := make([]tenant.ID, len(budgets))
	for i, b := range budgets {
		ids[i] = b.Tenant
	}
	found, err := r.Flow.Turns(ctx, ids...)
	for i, t := range found {
		budgets[i].Turn = string(t)
	}
	return err
}

// breakers returns the breakers, the host's first.
func (r *Reporter) breakers(ctx context.Context, ids []tenant.ID) ([]status.Breaker, error) {
	found, err := r.Flow.States(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]status.Breaker, len(found))
	for i, b := range found {
		out[i] = status.Breaker{Scope: b.Scope, Tenant: b.Tenant, State: string(b.Condition), Opens: b.Opens, Reason: b.Reason}
		if b.Condition == breaker.Open {
			out[i].Wait = max(0, time.Until(b.Until))
		}
	}
	return out, nil
}

// freshness returns the age of each practice's day, late ones first, then the oldest.
func (r *Reporter) freshness(ctx context.Context, tenants []ledger.Tenant) ([]status.Freshness, error) {
	now := r.Now()
	var out []status.Freshness
	var days []practice.Roster
	for _, t := range tenants {
		for _, p := range t.Practices {
			there, err := zone.Load(t.ZoneOf(p))
			if err != nil {
				continue // the planner logs it
			}
			out = append(out, status.Freshness{Tenant: t.ID, Practice: p.ID, Open: plan.IsOpen(t.Hours, now.In(there))})
			days = append(days, practice.Roster{Tenant: t.ID, Practice: p.ID, Date: civil.DateOf(now.In(there))})
		}
	}
	for start := 0; start < len(days); start += cache.MaxPeek {
		ages, err := r.Store.Confirmed(ctx, days[start:min(start+cache.MaxPeek, len(days))])
		if err != nil {
			return nil, err
		}
		for i, age := range ages {
			out[start+i].Known, out[start+i].Age = age >= 0, max(0, age)
		}
	}
	slices.SortStableFunc(out, func(a, b status.Freshness) int {
		return cmp.Or(cmp.Compare(lateness(a), lateness(b)), cmp.Compare(b.Age, a.Age))
	})
	return out, nil
}

// lateness sorts late days before the others.
func lateness(f status.Freshness) int {
	if f.Late() {
		return 0
	}
	return 1
}
