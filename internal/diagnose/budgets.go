package diagnose

import (
	"cmp"
	"time"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/status"
)

// Budget is what is known of the calls of one operation of one account.
type Budget struct {
	budget.State
	// Usage is how much it was called.
	flow.Usage
	// Documented is the interval in the vendor's documentation.
	Documented time.Duration
	// Used reports whether it was called within a week. If not, the rest of State is empty.
	Used bool
	// Breakers are those that concern the operation and are not closed.
	Breakers []breaker.State
}

// Advice describes why calls of the operation wait and what to do about it, a sentence each.
func (b Budget) Advice() []string {
	a := advice{}
	for _, s := range b.Breakers {
		a.add("the breaker %s is %s because of %s: %s", s.Scope, s.Condition, cmp.Or(s.Reason, unknown), alarm.BreakerNext(s.Scope, s.Condition))
	}
	if !b.Used {
		a.add("no call within a week: the documented interval holds")
		return a
	}
	_, used := b.Shares(b.Spacing)
	if b.Blocked > 0 {
		a.add("%s: calls continue in %s by themselves; if this recurs, look for another program that uses the account",
			codes.Blocked.Meaning(), b.Blocked.Round(time.Millisecond))
	}
	if b.Interval > b.Documented {
		a.add("the vendor has named a longer interval than it documents (%s): ask the vendor, or let rounds enqueue throttles.sync read it again", b.Documented)
	}
	if b.Margin > max(b.Interval/4, 50*time.Millisecond) {
		a.add("the margin is large because the vendor has throttled calls: it becomes smaller by itself")
	}
	if b.Retries < 1 {
		a.add("the retry budget is used up: calls that failed are repeated once in ten seconds, and for every fifth call that is answered; see the causes with rounds queue list")
	}
	if (status.Budget{Backlog: b.Backlog, Used: used}).Full() {
		a.add("background tasks are booked for the next %s: interactive calls go first, and more workers do not help; demand less, or ask the vendor for a shorter interval",
			b.Backlog.Round(time.Second))
	}
	if len(a) == 0 {
		a.add("nothing delays a call of this operation for longer than its spacing")
	}
	return a
}
