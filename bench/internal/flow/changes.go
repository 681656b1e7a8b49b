package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/parts"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

// The accounts of part changes.
type changing struct {
	unknown [2]process.Account // an interval half as long again as the documented one, from the beginning
	halved  [3]process.Account // the documented interval, and then twice that
	raised  process.Account    // twice the documented interval, and then the documented one
}

func changingAccounts(s settings) (c changing) {
	account := func(name string, interval time.Duration, margin int) process.Account {
		return process.Account{
			Tenant: name, Patients: 4 * s.changeCalls, Interval: interval, Margin: time.Duration(margin) * time.Millisecond, Latency: s.latency,
		}
	}
	for i := range c.unknown {
		c.unknown[i] = account(fmt.Sprintf("unknown-%d", i+1), s.interval*3/2, 3+3*i)
	}
	for i := range c.halved {
		c.halved[i] = account(fmt.Sprintf("halved-%d", i+1), s.interval, 4+3*i)
	}
	c.raised = account("raised", 2*s.interval, 5)
	return c
}

func (c changing) all() []process.Account {
	return append(append(c.unknown[:], c.halved[:]...), c.raised)
}

// changes works off backlogs of accounts whose interval differs from the documented one, or
// changes, which only the vendor's refusals can reveal.
func changes(ctx context.Context, s settings) (_ []report.Row, err error) {
	c := changingAccounts(s)
	h, err := process.Open(ctx, c.all())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()
	if err := startWorkers(ctx, h); err != nil {
		return nil, err
	}
	unknown, err := parts.AtOnce(c.unknown[:], func(a process.Account) (backlog, error) { return demand(ctx, h, a, 0, s.changeCalls) })
	if err != nil {
		return nil, err
	}
	// These have work for as long as they are observed.
	if _, err := parts.AtOnce(append(c.halved[:], c.raised), func(a process.Account) (backlog, error) {
		return demand(ctx, h, a, 0, 4*s.changeCalls)
	}); err != nil {
		return nil, err
	}
	began, changed, err := c.change(ctx, s, h.Vendor)
	if err != nil {
		return nil, err
	}
	if err := c.observe(ctx, s, h.Vendor, unknown, changed); err != nil {
		return nil, err
	}
	observed := time.Now()
	for i, b := range unknown {
		asked, err := h.Vendor.Asked(ctx, b.account.Tenant)
		if err != nil {
			return nil, err
		}
		unknown[i].patients = b.distinct(asked)
	}
	timelines, err := vendorlog.Read(ctx, h.Vendor, c.all())
	if err != nil {
		return nil, err
	}
	return c.rows(s, timelines, unknown, began, changed, observed)
}

// change waits, changes the intervals, and returns when it began and ended to do so.
func (c changing) change(ctx context.Context, s settings, v *process.Vendor) (began, ended time.Time, err error) {
	parts.Progress("  waiting %v before the intervals change", s.changeAfter)
	if err := process.Pause(ctx, s.changeAfter); err != nil {
		return began, ended, err
	}
	began = time.Now()
	for _, a := range c.halved {
		a.Interval *= 2
		if err := v.SetLimits(ctx, a); err != nil {
			return began, ended, err
		}
	}
	raised := c.raised
	raised.Interval /= 2
	err = v.SetLimits(ctx, raised)
	return began, time.Now(), err
}

// observe waits until the figures are known, or until they are too bad to wait longer.
func (c changing) observe(ctx context.Context, s settings, v *process.Vendor, unknown []backlog, changed time.Time) error {
	late := time.Duration(s.halvedCalls/len(c.halved)+10) * 2 * s.interval * 3 / 2
	if err := await(ctx, v, unknown, ideal(unknown)*3/2+startUp); err != nil {
		return err
	}
	for time.Since(changed) < late {
		timelines, err := vendorlog.Read(ctx, v, c.halved[:])
		if err != nil {
			return err
		}
		n := 0
		for _, t := range timelines {
			n += len(t.Between(changed, time.Now()))
		}
		if n >= s.halvedCalls+10*len(c.halved) { // those of the first ten intervals do not count
			break
		}
		parts.Progress("  %d of %d calls since the change", n, s.halvedCalls)
		if err := process.Pause(ctx, 2*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// atPace is how far apart calls may be on average, in true spacings, to be at the vendor's pace.
const atPace = 1.10

// recovered returns after how many of the new intervals the first of some calls in a row came that
// are at the new pace. It is the whole time of observation if there are none.
func recovered(t vendorlog.Timeline, n int, changed, observed time.Time, spacing time.Duration) float64 {
	after := t.Served().Between(changed, observed)
	for i := 0; i+n < len(after); i++ {
		if after[i+n].Arrived.Sub(after[i].Arrived) <= time.Duration(atPace*float64(time.Duration(n)*spacing)) {
			return float64(after[i].Arrived.Sub(changed)) / float64(spacing)
		}
	}
	return float64(observed.Sub(changed)) / float64(spacing)
}

func (c changing) rows(s settings, timelines map[string]vendorlog.Timeline, unknown []backlog, began, changed, observed time.Time) ([]report.Row, error) {
	slowest := 0.0
	for _, b := range unknown {
		took, err := b.drain(timelines[b.account.Tenant], observed)
		if err != nil {
			return nil, err
		}
		slowest = max(slowest, took)
	}
	late, cased, err := c.late(timelines, began, changed, s.halvedCalls)
	if err != nil {
		return nil, err
	}
	raised := c.raised
	raised.Interval /= 2
	t := timelines[raised.Tenant]
	if len(t.Between(changed, observed)) == 0 {
		return nil, fmt.Errorf("%s: no call after the change", raised.Tenant)
	}
	const lateRow = "halved-late-refusals"
	return []report.Row{
		report.Once("drain-unknown", "× ideal", report.Lower, new(1.15), slowest,
			"as drain, with an interval half as long again as the documented one, which only refusals name"),
		report.Once("raised-intervals", "intervals", report.Lower, new(60.0), recovered(t, s.inRow, changed, observed, raised.Spacing()),
			fmt.Sprintf("the vendor halves the interval that it has named: how many of the new ones pass before the first of %d calls in a row "+
				"that are at most %.2f × the true spacing apart; if there are none, all that were observed", s.inRow, atPace)),
		report.Once(lateRow, "calls", report.Lower, new(0.0), float64(late),
			"the vendor doubles the interval: refused calls later than ten of the new ones"),
		report.Cases(lateRow, s.halvedCalls, cased, "calls later than ten intervals"),
	}, nil
}

// late returns how many calls were refused later than ten intervals after the interval had doubled,
// and how many calls were that late.
func (c changing) late(timelines map[string]vendorlog.Timeline, began, changed time.Time, most int) (refused, n int, err error) {
	for _, a := range c.halved {
		before, after := a.Spacing(), a.Spacing()+a.Interval
		early, err := timelines[a.Tenant].Early(func(at time.Time) time.Duration {
			switch {
			case at.Before(began):
				return before
			case at.After(changed):
				return after
			}
			return 0
		})
		if err != nil {
			return 0, 0, err
		}
		from := changed.Add(10 * after)
		refused += len(early.Between(from, changed.Add(time.Hour)))
		n += len(timelines[a.Tenant].Between(from, changed.Add(time.Hour)))
	}
	return refused, min(n, most), nil
}
