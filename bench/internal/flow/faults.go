package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// faultAccounts are accounts that have work waiting for a time.
func faultAccounts(s settings, lasting time.Duration) (accounts []process.Account, calls int) {
	calls = int(lasting/s.interval) + 20
	for i := range s.faultAccounts {
		accounts = append(accounts, process.Account{
			Tenant: fmt.Sprintf("clinic-%d", i+1), Patients: calls, Interval: s.interval, Margin: time.Millisecond, Latency: s.latency,
		})
	}
	return accounts, calls
}

// demandAll demands as many calls of every account.
func demandAll(ctx context.Context, h *process.Deployment, calls int) error {
	_, err := parts.AtOnce(h.Accounts, func(a process.Account) (backlog, error) { return demand(ctx, h, a, 0, calls) })
	return err
}

// violations returns the calls of all accounts that came too soon, from a log that is complete a
// while after the end of the run.
func violations(ctx context.Context, s settings, h *process.Deployment) (all vendorlog.Timeline, timelines map[string]vendorlog.Timeline, err error) {
	if err := process.Pause(ctx, s.latency+time.Second); err != nil {
		return nil, nil, err
	}
	timelines, err = vendorlog.Read(ctx, h.Vendor, h.Accounts)
	if err != nil {
		return nil, nil, err
	}
	for _, a := range h.Accounts {
		early, err := timelines[a.Tenant].Early(vendorlog.Steady(a.Spacing()))
		if err != nil {
			return nil, nil, err
		}
		all = append(all, early...)
	}
	return all, timelines, nil
}

// event is a fault at a time after the beginning of a run. If it counts and has an effect, calls
// must go on after it.
type event struct {
	at     time.Duration
	what   string
	counts bool
	do     func() (effect bool, err error)
	began  time.Time // when it happened
}

// always makes an event's function of one that always has an effect.
func always(do func() error) func() (bool, error) {
	return func() (bool, error) { return true, do() }
}

// failover loses the keys of flow control several times, fails over to a replica that lags, and
// stops one worker for a minute.
func failover(ctx context.Context, s settings) (_ []report.Row, err error) {
	scaled := func(seconds float64) time.Duration {
		return time.Duration(seconds * s.faultScale * float64(time.Second))
	}
	accounts, calls := faultAccounts(s, scaled(74))
	h, err := process.OpenReplicated(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	if err := startWorkers(ctx, h); err != nil {
		return nil, err
	}
	if err := demandAll(ctx, h, calls); err != nil {
		return nil, err
	}
	const lost = "the keys of flow control are lost"
	forget := func() (bool, error) { return forgetFlow(ctx, h.Redis.Client) }
	events := []event{{at: scaled(5), what: "one worker stops", do: always(h.Workers[0].Freeze)}}
	for at := 8.0; at < 28; at += 4 {
		events = append(events, event{at: scaled(at), what: lost, counts: true, do: forget})
	}
	events = append(events,
		event{at: scaled(28), what: "the replica begins to lag", do: always(func() error { return h.CutReplica(ctx) })},
		event{at: scaled(33), what: "the replica takes over", counts: true, do: always(h.FailOver)},
		event{at: scaled(45), what: lost, counts: true, do: forget},
		event{at: scaled(50), what: lost, counts: true, do: forget},
		event{at: scaled(65), what: "the worker continues", counts: true, do: always(h.Workers[0].Thaw)})
	happened, err := play(ctx, events)
	if err != nil {
		return nil, err
	}
	if err := process.Pause(ctx, scaled(9)); err != nil {
		return nil, err
	}
	early, timelines, err := violations(ctx, s, h)
	if err != nil {
		return nil, err
	}
	counting, survived := 0, 0
	for _, e := range events {
		if e.counts {
			counting++
		}
	}
	for _, e := range happened {
		for _, t := range timelines {
			if len(t.Served().Between(e.began, e.began.Add(scaled(8)))) > 0 {
				survived++
			}
		}
	}
	const name = "failover-violations"
	return []report.Row{
		report.Once(name, "calls", report.Lower, new(0.0), float64(len(early)), fmt.Sprintf("calls that came too soon while the keys of flow control were lost "+
			"%d times, Redis failed over to a replica that lagged %v, and one worker was stopped for %v; by the last event before: %s",
			len(happened)-2, scaled(5), scaled(60), byEvent(early, happened))),
		report.Cases(name, counting*len(accounts), survived, "faults, counted for each account that had calls soon after them"),
	}, nil
}

// byEvent counts calls by the last event before them.
func byEvent(calls vendorlog.Timeline, happened []event) string {
	counts := map[string]int{"none": 0}
	for _, c := range calls {
		last := "none"
		for _, e := range happened {
			if e.began.Before(c.Arrived) {
				last = e.what
			}
		}
		counts[last]++
	}
	var texts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		texts = append(texts, fmt.Sprintf("%s %d", what, counts[what]))
	}
	return strings.Join(texts, ", ")
}

// play lets the events happen and returns those that count and had an effect.
func play(ctx context.Context, events []event) (happened []event, err error) {
	began := time.Now()
	for _, e := range events {
		if err := process.Pause(ctx, time.Until(began.Add(e.at))); err != nil {
			return nil, err
		}
		parts.Progress("  %s", e.what)
		e.began = time.Now()
		effect, err := e.do()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.what, err)
		}
		if e.counts && effect {
			happened = append(happened, e)
		}
	}
	return happened, nil
}

// flowKeys matches the keys of flow control, whatever the version of their format.
const flowKeys = "f[0-9]*:*"

// forgetFlow removes the keys of flow control, and not those of the queue. It returns whether there
// were any.
func forgetFlow(ctx context.Context, rdb *redis.Client) (bool, error) {
	var keys []string
	scan := rdb.Scan(ctx, 0, flowKeys, 1000).Iterator()
	for scan.Next(ctx) {
		keys = append(keys, scan.Val())
	}
	if err := scan.Err(); err != nil || len(keys) == 0 {
		return false, err
	}
	return true, rdb.Unlink(ctx, keys...).Err()
}

// skews are the clocks of the workers of part skew.
var skews = [workers]time.Duration{-90 * time.Second, 90 * time.Second, 0, 90 * time.Second}

// skew runs workers whose clocks are off.
func skew(ctx context.Context, s settings) (_ []report.Row, err error) {
	accounts, calls := faultAccounts(s, s.skewFor)
	h, err := process.Open(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	clocks, err := h.StartSkewed(ctx, skews[:]...)
	if err != nil {
		return nil, err
	}
	for i, clock := range clocks {
		if off := time.Until(clock) - skews[i]; off.Abs() > 30*time.Second {
			return nil, fmt.Errorf("the clock of worker %d is off by %v more than it should be", i, off)
		}
	}
	if err := h.UseLogins(ctx); err != nil {
		return nil, err
	}
	if err := demandAll(ctx, h, calls); err != nil {
		return nil, err
	}
	if err := process.Pause(ctx, s.skewFor); err != nil {
		return nil, err
	}
	early, timelines, err := violations(ctx, s, h)
	if err != nil {
		return nil, err
	}
	served := 0
	for _, t := range timelines {
		served += len(t.Served())
	}
	const name = "skew-violations"
	return []report.Row{
		report.Once(name, "calls", report.Lower, new(0.0), float64(len(early)), fmt.Sprintf("calls that came too soon from workers whose clocks were off by %v", skews)),
		report.Cases(name, len(accounts)*calls/3, served, "calls that were served"),
	}, nil
}

// stopFor is how long a stopped worker stands still, and stopEvery how often one is stopped: two of
// four are at any time.
const (
	stopFor   = 2 * time.Second
	stopEvery = time.Second
)

// stopped stops workers at random moments, which may be the last one before they send a call.
func stopped(ctx context.Context, s settings) (_ []report.Row, err error) {
	lasting := time.Duration(s.stops) * stopEvery
	accounts, calls := faultAccounts(s, lasting)
	h, err := process.Open(ctx, accounts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	if err := startWorkers(ctx, h); err != nil {
		return nil, err
	}
	if err := demandAll(ctx, h, calls); err != nil {
		return nil, err
	}
	began, done := time.Now(), 0
	parts.Progress("  stopping workers %d times", s.stops)
	for done < s.stops {
		if err := h.Workers[done%workers].FreezeFor(stopFor); err != nil {
			return nil, err
		}
		done++
		due := began.Add(time.Duration(done) * stopEvery).Add(time.Duration(rand.Int64N(int64(stopEvery / 4))))
		if err := process.Pause(ctx, time.Until(due)); err != nil {
			return nil, err
		}
	}
	if err := process.Pause(ctx, stopFor); err != nil { // the last one continues
		return nil, err
	}
	early, timelines, err := violations(ctx, s, h)
	if err != nil {
		return nil, err
	}
	withCalls := 0
	for i := range done {
		at := began.Add(time.Duration(i) * stopEvery)
		for _, t := range timelines {
			if len(t.Between(at, at.Add(stopFor))) > 0 {
				withCalls++
				break
			}
		}
	}
	const name = "stopped-violations"
	return []report.Row{
		report.Once(name, "calls", report.Lower, new(1.0), float64(len(early)), fmt.Sprintf("calls that came too soon while workers were stopped for %v at random moments", stopFor)),
		report.Cases(name, s.stops, withCalls, "stops during which calls arrived"),
	}, nil
}
