package flow

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Refused is the error of a call that must wait. The call was not sent and may be repeated after
// NotBefore.
type Refused struct {
	Reason codes.Code // Pace, Blocked, Breaker, InFlight, RetryBudget, Redis or Draining
	Scope  string     // of the breaker: host, credential, or the class; empty for other reasons
	until  time.Time  // this process's clock
}

// Error returns the reason and the breaker's scope.
func (r *Refused) Error() string {
	if r.Scope != "" {
		return "not now: " + string(r.Reason) + " " + r.Scope
	}
	return "not now: " + string(r.Reason)
}

// NotBefore returns when to try again, and the reason. Other packages recognize a refusal by this
// method.
func (r *Refused) NotBefore() (time.Time, string) { return r.until, string(r.Reason) }
