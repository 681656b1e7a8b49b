package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/process"
)

// timeline is the simulator's log of one account's calls, in order of arrival.
type timeline []tebratest.Call

// readTimelines reads the logs of all accounts, by tenant.
func readTimelines(ctx context.Context, v *process.Vendor, accounts []process.Account) (map[string]timeline, error) {
	out := map[string]timeline{}
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

// served returns the calls that brought an answer.
func (t timeline) served() timeline {
	var out timeline
	for _, c := range t {
		if c.Outcome == tebratest.OutcomeOK {
			out = append(out, c)
		}
	}
	return out
}

// between returns the calls that arrived after one time and not after another.
func (t timeline) between(after, until time.Time) timeline {
	var out timeline
	for _, c := range t {
		if c.Arrived.After(after) && !c.Arrived.After(until) {
			out = append(out, c)
		}
	}
	return out
}

// ended returns when a call ended.
func ended(c tebratest.Call) time.Time { return c.Arrived.Add(c.Took) }

// steady is a limit that does not change.
func steady(spacing time.Duration) func(time.Time) time.Duration {
	return func(time.Time) time.Duration { return spacing }
}

var errLog = errors.New("the simulator's log contradicts its limit")

// early returns the calls that came sooner after the last allowed one than the vendor's limit at
// the time of their arrival. They are computed from the arrivals; the outcomes must agree. Where the
// limit is 0, because it is just being changed, the outcomes decide alone.
func (t timeline) early(limit func(at time.Time) time.Duration) (timeline, error) {
	var out timeline
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
			return nil, fmt.Errorf("%w: call %d, %s", errLog, c.Seq, c.Outcome)
		}
	}
	return out, nil
}

// backlog is a number of calls that were demanded of one account at once.
type backlog struct {
	account process.Account
	began   time.Time // when the demands were sent
	calls   int
	// patients is how many of its patients were asked for; see distinct.
	patients int
}

// distinct returns how many of the backlog's patients were asked for. A call that is made twice
// works off nothing.
func (b backlog) distinct(asked []process.Asked) (patients int) {
	seen := map[string]bool{}
	for _, a := range asked {
		seen[a.Patient] = true
	}
	return min(len(seen), b.calls)
}

// end returns when the backlog was worked off, or the time of observation if it was not, and how
// many of its calls were served by then.
func (b backlog) end(t timeline, observed time.Time) (end time.Time, n int) {
	served := t.served()
	n = min(len(served), b.patients)
	if n < b.calls {
		return observed, n
	}
	return ended(served[b.calls-1]), n
}

// drain returns the time that the backlog took, divided by the shortest time that the vendor
// allows. For a backlog that was not worked off, it is that of its calls so far.
func (b backlog) drain(t timeline, observed time.Time) (float64, error) {
	end, n := b.end(t, observed)
	if n == 0 {
		return 0, fmt.Errorf("%s: no call was served", b.account.Tenant)
	}
	return float64(end.Sub(b.began)) / float64(time.Duration(n)*b.account.Spacing()), nil
}

// allowance is how much of the budget counts as all of it: a client cannot know the true spacing to
// the last twentieth.
const allowance = 1.05

// used returns the time that the vendor's limit allots to the served calls, with the allowance, and
// the time until the last of them arrived, which is how long work waited.
func (b backlog) used(t timeline, observed time.Time) (allotted, waited time.Duration) {
	_, n := b.end(t, observed)
	waited = observed.Sub(b.began)
	if n == b.calls {
		waited = t.served()[n-1].Arrived.Sub(b.began)
	}
	return time.Duration(allowance * float64(time.Duration(n)*b.account.Spacing())), waited
}
