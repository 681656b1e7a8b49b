// Package vendorlog reads figures from the simulator's log of calls.
package vendorlog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// Timeline is the simulator's log of one account's calls, in order of arrival.
type Timeline []tebratest.Call

// Read reads the logs of all accounts' calls of [process.Operation], by tenant.
func Read(ctx context.Context, v *process.Vendor, accounts []process.Account) (map[string]Timeline, error) {
	all, err := ReadAll(ctx, v, accounts)
	for tenant, t := range all {
		all[tenant] = t.Of(process.Operation)
	}
	return all, err
}

// ReadAll reads the logs of all accounts, by tenant.
func ReadAll(ctx context.Context, v *process.Vendor, accounts []process.Account) (map[string]Timeline, error) {
	out := map[string]Timeline{}
	for _, a := range accounts {
		calls, err := v.Calls(ctx, a.Tenant)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(calls, func(x, y tebratest.Call) int { return x.Arrived.Compare(y.Arrived) })
		out[a.Tenant] = calls
	}
	return out, nil
}

// Of returns the calls of an operation.
func (t Timeline) Of(operation string) Timeline {
	return t.where(func(c tebratest.Call) bool { return c.Operation == operation })
}

func (t Timeline) where(is func(tebratest.Call) bool) Timeline {
	var out Timeline
	for _, c := range t {
		if is(c) {
			out = append(out, c)
		}
	}
	return out
}

// With returns the calls with one of the outcomes.
func (t Timeline) With(outcomes ...tebratest.Outcome) Timeline {
	return t.where(func(c tebratest.Call) bool { return slices.Contains(outcomes, c.Outcome) })
}

// Served returns the calls that brought an answer.
func (t Timeline) Served() Timeline {
	return t.With(tebratest.OutcomeOK)
}

// Between returns the calls that arrived after one time and not after another.
func (t Timeline) Between(after, until time.Time) Timeline {
	return t.where(func(c tebratest.Call) bool { return c.Arrived.After(after) && !c.Arrived.After(until) })
}

// Ended returns when a call ended.
func Ended(c tebratest.Call) time.Time { return c.Arrived.Add(c.Took) }

// Steady is a limit that does not change.
func Steady(spacing time.Duration) func(time.Time) time.Duration {
	return func(time.Time) time.Duration { return spacing }
}

// ErrLog reports outcomes that do not follow from the arrivals.
var ErrLog = errors.New("the simulator's log contradicts its limit")

// Early returns the calls that came sooner after the last allowed one than the vendor's limit at
// the time of their arrival. They are computed from the arrivals; the outcomes must agree. Where the
// limit is 0, because it is just being changed, the outcomes decide alone.
func (t Timeline) Early(limit func(at time.Time) time.Duration) (Timeline, error) {
	var out Timeline
	var last time.Time
	for _, c := range t {
		refused := c.Outcome == tebratest.OutcomeThrottled
		spacing := limit(c.Arrived)
		early := !last.IsZero() && c.Arrived.Sub(last) <= spacing
		if spacing == 0 {
			early = refused
		}
		switch {
		case early:
			out = append(out, c)
		default:
			last = c.Arrived
		}
		if refused != early && c.Outcome != tebratest.OutcomeAborted {
			return nil, fmt.Errorf("%w: call %d, %s", ErrLog, c.Seq, c.Outcome)
		}
	}
	return out, nil
}

// Serving returns the first call that served one of the requests. The simulator's log does not state
// what a call asked for; the call is the first that arrives after the request passed the endpoint.
// The timeline must have no calls of other operations.
func (t Timeline) Serving(sent []process.Asked, is func(process.Asked) bool) (tebratest.Call, bool) {
	for _, a := range sent {
		if !is(a) {
			continue
		}
		at, _ := slices.BinarySearchFunc(t, a.At, func(c tebratest.Call, at time.Time) int { return c.Arrived.Compare(at) })
		if at < len(t) && t[at].Outcome == tebratest.OutcomeOK {
			return t[at], true
		}
	}
	return tebratest.Call{}, false
}

// Percentile returns the duration that as many in 100 do not exceed, or 0 if there are none.
func Percentile(of []time.Duration, percent int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[(len(sorted)*percent+99)/100-1]
}
