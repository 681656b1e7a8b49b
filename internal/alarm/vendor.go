package alarm

import (
	"cmp"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/status"
)

// BreakerNext says what ends the state of a breaker.
func BreakerNext(scope string, c breaker.Condition) string {
	switch {
	case c == breaker.Ramp:
		return "it closed recently, and calls are slower than usual for some seconds"
	case scope == breaker.Credential:
		return "correct the login of the tenant: another one is tried at once, the refused one once an hour"
	}
	return "a probe tests by itself whether the vendor is back"
}

// breakers are the alarms of breakers that hold calls back, except those of logins.
func breakers(s Snapshot) []Alarm {
	var out []Alarm
	for _, b := range heldBack(s) {
		if b.Scope == breaker.Credential {
			continue
		}
		a := Alarm{State: Breaker, Fault: true, Evidence: breakerEvidence(b, s), Next: BreakerNext(b.Scope, breaker.Condition(b.State))}
		if b.Tenant == "" {
			a.What = "the breaker of the vendor's host is " + b.State
			a.Effect = "no call is sent for any tenant: tasks wait at no cost in attempts, and boards are served with their age"
		} else {
			a.What = fmt.Sprintf("the breaker of %s of %s is %s", b.Scope, b.Tenant, b.State)
			a.Effect = fmt.Sprintf("calls of %s of %s wait at no cost in attempts; its other calls and other tenants are not affected", b.Scope, b.Tenant)
		}
		out = append(out, a)
	}
	return out
}

// logins are the alarms of logins that the vendor refuses.
func logins(s Snapshot) []Alarm {
	var out []Alarm
	for _, b := range heldBack(s) {
		if b.Scope != breaker.Credential {
			continue
		}
		out = append(out, Alarm{
			State: Login, Fault: true, What: fmt.Sprintf("the vendor refuses the login of %s", b.Tenant),
			Evidence: breakerEvidence(b, s), Next: BreakerNext(b.Scope, breaker.Condition(b.State)),
			Effect: fmt.Sprintf("no call is sent for %s, whose boards are served with their age; other tenants are not affected", b.Tenant),
		})
	}
	return out
}

// heldBack returns the breakers that are open or probing.
func heldBack(s Snapshot) []status.Breaker {
	var out []status.Breaker
	if !s.Current() {
		return nil
	}
	for _, b := range s.Status.Breakers {
		if c := breaker.Condition(b.State); c == breaker.Open || c == breaker.Probing {
			out = append(out, b)
		}
	}
	return out
}

func breakerEvidence(b status.Breaker, s Snapshot) string {
	text := fmt.Sprintf("%s; openings in a row: %d", cmp.Or(b.Reason, "no reason given"), b.Opens)
	if b.Wait > 0 {
		text += "; the next probe is due in " + span(b.Wait)
	}
	if n := refused(s); n > 0 {
		text += fmt.Sprintf("; tasks that wait for breakers: %d", n)
	}
	return text
}

// refused counts the sampled tasks that wait for a breaker.
func refused(s Snapshot) int {
	n := 0
	for _, l := range s.Lanes {
		for _, w := range l.Waits {
			if w.Code == codes.Breaker {
				n += w.Tasks
			}
		}
	}
	return n
}

func budgets(s Snapshot) []Alarm {
	if !s.Current() {
		return nil
	}
	var out []Alarm
	for _, b := range s.Status.Budgets {
		if !b.Full() {
			continue
		}
		out = append(out, Alarm{
			State: Budget, Fault: true, What: fmt.Sprintf("the budget of %s of %s is full", b.Operation, b.Tenant),
			Evidence: fmt.Sprintf("tasks are booked for the next %s, at one call in %s; %.0f %% of the last hour's calls were used",
				span(b.Backlog), b.Spacing, 100*b.Used),
			Effect: fmt.Sprintf("background tasks of %s that call %s wait for their places; interactive calls go first", b.Tenant, b.Operation),
			Next: fmt.Sprintf("more workers do not help: demand less, or ask the vendor for a shorter interval; see rounds budget show %s %s",
				b.Tenant, b.Operation),
		})
	}
	return out
}
