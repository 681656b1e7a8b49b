package flow

import (
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/vendorlog"
)

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
func (b backlog) end(t vendorlog.Timeline, observed time.Time) (end time.Time, n int) {
	served := t.Served()
	n = min(len(served), b.patients)
	if n < b.calls {
		return observed, n
	}
	return vendorlog.Ended(served[b.calls-1]), n
}

// drain returns the time that the backlog took, divided by the shortest time that the vendor
// allows. For a backlog that was not worked off, it is that of its calls so far.
func (b backlog) drain(t vendorlog.Timeline, observed time.Time) (float64, error) {
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
func (b backlog) used(t vendorlog.Timeline, observed time.Time) (allotted, waited time.Duration) {
	_, n := b.end(t, observed)
	waited = observed.Sub(b.began)
	if n == b.calls {
		waited = t.Served()[n-1].Arrived.Sub(b.began)
	}
	return time.Duration(allowance * float64(time.Duration(n)*b.account.Spacing())), waited
}
