package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/plan"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// reportLimit bounds one report, so that it is written or missed before the next.
const reportLimit = status.Every - 200*time.Millisecond

// report writes the status document for operators every two seconds until ctx ends. A failure is logged once for a row of
// failures: whoever reads sees by the document's age that there is none.
func (s *Scheduler) report(ctx context.Context) error {
	tick := time.NewTicker(status.Every)
	defer tick.Stop()
	for failing := false; ; {
		err := s.reportOnce(ctx)
		switch {
		case err != nil && ctx.Err() == nil && !failing:
			s.base.log.WarnContext(ctx, "operators cannot be told how things stand", "error", err)
		case err == nil && failing:
			s.base.log.InfoContext(ctx, "operators are told again how things stand")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// reportOnce tells what can be read. A part that cannot is named as missing, so that one store that is away hides nothing
// of the others.
func (s *Scheduler) reportOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	d := status.Document{At: time.Now().UTC(), Attempts: tasks.Attempts()}
	part := func(name string, err error) {
		if err != nil {
			d.Missing = append(d.Missing, name)
		}
	}
	workers, err := queue.Workers(ctx, s.base.queue)
	part("workers", err)
	for _, w := range workers {
		d.Workers = append(d.Workers, status.Worker(w))
	}
	tenants, err := s.base.ledger.Tenants(ctx)
	if err != nil {
		d.Missing = append(d.Missing, "budgets", "breakers", "freshness")
		return status.Write(ctx, s.base.queue, d)
	}
	ids := make([]tenant.ID, len(tenants))
	for i, t := range tenants {
		ids[i] = t.ID
	}
	d.Budgets, err = s.budgets(ctx, ids)
	part("budgets", err)
	d.Breakers, err = s.breakers(ctx, ids)
	part("breakers", err)
	d.Freshness, err = s.freshness(ctx, tenants)
	part("freshness", err)
	return status.Write(ctx, s.base.queue, d)
}

// budgets puts those first that keep somebody waiting.
func (s *Scheduler) budgets(ctx context.Context, ids []tenant.ID) ([]status.Budget, error) {
	found, err := s.gate.Budgets(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]status.Budget, len(found))
	for i, b := range found {
		out[i] = status.Budget(b)
	}
	slices.SortStableFunc(out, func(a, b status.Budget) int {
		return cmp.Or(cmp.Compare(b.Blocked, a.Blocked), cmp.Compare(b.Backlog, a.Backlog))
	})
	return out, nil
}

// breakers puts the host's first.
func (s *Scheduler) breakers(ctx context.Context, ids []tenant.ID) ([]status.Breaker, error) {
	found, err := s.gate.States(ctx, ids...)
	if err != nil {
		return nil, err
	}
	out := make([]status.Breaker, len(found))
	for i, b := range found {
		out[i] = status.Breaker{Scope: b.Scope, Tenant: b.Tenant, State: string(b.Condition), Opens: b.Opens, Reason: b.Reason}
		if b.Condition == flow.Open {
			out[i].Wait = max(0, time.Until(b.Until))
		}
	}
	return out, nil
}

// freshness puts the latest first.
func (s *Scheduler) freshness(ctx context.Context, tenants []ledger.Tenant) ([]status.Freshness, error) {
	now := s.clock.Now()
	var out []status.Freshness
	var days []practice.Roster
	for _, t := range tenants {
		zone, err := time.LoadLocation(t.TimeZone)
		if err != nil {
			continue // the planner says so
		}
		for _, p := range t.Practices {
			out = append(out, status.Freshness{Tenant: t.ID, Practice: p.ID, Open: plan.IsOpen(t.Hours, now.In(zone))})
			days = append(days, practice.Roster{Tenant: t.ID, Practice: p.ID, Date: civil.DateOf(now.In(zone))})
		}
	}
	for start := 0; start < len(days); start += cache.MaxPeek {
		ages, err := s.base.store.Confirmed(ctx, days[start:min(start+cache.MaxPeek, len(days))])
		if err != nil {
			return nil, err
		}
		for i, age := range ages {
			out[start+i].Known, out[start+i].Age = age >= 0, max(0, age)
		}
	}
	slices.SortStableFunc(out, func(a, b status.Freshness) int {
		late := func(f status.Freshness) int {
			if f.Late() {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(late(a), late(b)), cmp.Compare(b.Age, a.Age))
	})
	return out, nil
}
