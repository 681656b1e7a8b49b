package vendoroutage

import (
	"context"
	"errors"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// side is the workers of one kind that live through the outage, with a simulator and a Redis of
// their own.
type side struct {
	vendor   *process.Vendor
	redis    *process.Redis
	accounts []process.Account
	// demand demands n patients of an account, from the given one.
	demand func(ctx context.Context, a process.Account, from, n int) error
}

// course is what happened to one side.
type course struct {
	down, back, observed time.Time
	logs                 logs
	reads, commands      int // of Redis, from the outage's beginning until all was done
	done                 bool
}

// both are how accounts lose the vendor: the first, the third and so on by their connections.
var both = [2]tebratest.Faults{
	{Rules: []tebratest.Rule{{Fault: tebratest.FaultReset}}},
	{Maintenance: true},
}

// live lets the side work, lets the vendor fail while tasks wait, and observes it until all are
// done.
func (s side) live(ctx context.Context, z settings) (c course, err error) {
	err = s.demandAll(ctx, 0, z.warm)
	if err != nil {
		return c, err
	}
	if ok, err := awaitServed(ctx, s.vendor, s.accounts, z.warm, startUp); err != nil || !ok {
		return c, errors.Join(err, errors.New("the calls before the outage were not served"))
	}
	if err := s.demandAll(ctx, z.warm, z.calls); err != nil {
		return c, err
	}
	if err := process.Pause(ctx, z.ahead); err != nil {
		return c, err
	}
	before, err := s.redis.Counters(ctx)
	if err != nil {
		return c, err
	}
	if err := s.setFaults(ctx, both); err != nil {
		return c, err
	}
	c.down = time.Now()
	if err := process.Pause(ctx, z.outage); err != nil {
		return c, err
	}
	c.back = time.Now()
	if err := s.setFaults(ctx, [2]tebratest.Faults{}); err != nil {
		return c, err
	}
	if c.done, err = awaitServed(ctx, s.vendor, s.accounts, z.warm+z.calls, z.limit); err != nil {
		return c, err
	}
	after, err := s.redis.Counters(ctx)
	c.observed, c.reads, c.commands = time.Now(), after.Reads-before.Reads, after.Commands-before.Commands
	if err != nil {
		return c, err
	}
	c.logs, err = readLogs(ctx, s.vendor, s.accounts)
	return c, err
}

func (s side) demandAll(ctx context.Context, from, n int) error {
	_, err := parts.AtOnce(s.accounts, func(a process.Account) (struct{}, error) { return struct{}{}, s.demand(ctx, a, from, n) })
	return err
}

func (s side) setFaults(ctx context.Context, f [2]tebratest.Faults) error {
	for i, a := range s.accounts {
		if err := s.vendor.SetFaults(ctx, a.Tenant, f[i%2]); err != nil {
			return err
		}
	}
	return nil
}

// figures are those of a course.
type figures struct {
	waited    int     // tasks that waited when the outage began
	failed    int     // calls that failed in the outage
	calls     int     // those of them that count, because the fleet could know of the outage
	first     float64 // seconds from the vendor's return to the end of the first call that it served
	refusals  int     // calls that came too soon after the return
	after     int     // calls after the return
	done      float64 // time from the first success to the last one, in ideal times
	doneSince float64 // the same from the vendor's return
	left      int     // calls that were not served in time
	reads     float64 // round trips for each task that waited
	commands  float64
}

// figures computes the figures. Times of an account whose calls were not all served count until the
// end of the observation.
func (c course) figures(z settings, accounts []process.Account) (f figures, err error) {
	var all vendorlog.Timeline
	for _, t := range c.logs.calls {
		all = append(all, t...)
	}
	f.failed = len(all.With(tebratest.OutcomeReset, tebratest.OutcomeMaintenance))
	f.calls = len(all.Between(c.down.Add(z.grace), c.back))
	first, ok := firstServed(all.Between(c.back, c.observed))
	if !ok {
		first = c.observed
	}
	f.first = first.Sub(c.back).Seconds()
	for _, a := range accounts {
		t := c.logs.calls[a.Tenant].Of(process.Operation)
		// The log has a call once it has ended: one that is in flight is missing, and not those that
		// it makes the vendor refuse.
		whole := t.Between(time.Time{}, c.observed.Add(-z.latency-time.Second))
		early, err := whole.With(tebratest.OutcomeOK, tebratest.OutcomeThrottled, tebratest.OutcomeAborted).Early(vendorlog.Steady(a.Spacing()))
		if err != nil {
			return f, err
		}
		f.refusals += len(early.Between(c.back, c.observed))
		f.after += len(c.logs.calls[a.Tenant].Between(c.back, c.observed))
		served := t.Served()
		left := z.warm + z.calls - len(served.Between(time.Time{}, c.back))
		f.waited += left
		since := served.Between(c.back, c.observed)
		end := c.observed
		if left > 0 && len(since) >= left {
			end = vendorlog.Ended(since[left-1])
		}
		if n := min(left, len(since)); n > 0 {
			ideal := float64(time.Duration(n) * a.Spacing())
			f.done, f.doneSince = max(f.done, float64(end.Sub(first))/ideal), max(f.doneSince, float64(end.Sub(c.back))/ideal)
		}
		f.left += max(0, left-len(since))
	}
	if f.waited == 0 {
		return f, errors.New("no task waited when the outage began")
	}
	f.reads, f.commands = float64(c.reads)/float64(f.waited), float64(c.commands)/float64(f.waited)
	return f, nil
}

// firstServed returns when the first call that was served ended.
func firstServed(t vendorlog.Timeline) (first time.Time, ok bool) {
	for _, c := range t.Served() {
		if end := vendorlog.Ended(c); !ok || end.Before(first) {
			first, ok = end, true
		}
	}
	return first, ok
}
