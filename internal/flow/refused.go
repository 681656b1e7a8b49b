package flow

import (
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Refused is the error of a call that must wait. The call was not sent and may be repeated after
// NotBefore.
type Refused struct {
	Reason codes.Code // Pace, Blocked, Breaker, InFlight, RetryBudget, Redis or Draining
	Scope  string     // of the breaker: host, credential, or the operation; empty for other reasons
	Tenant tenant.ID  // whose call it was
	until  time.Time  // this process's clock
}

// Breaker returns which breaker has refused the call; it is empty for other reasons.
func (r *Refused) Breaker() breaker.Name {
	if r.Scope == breaker.Host {
		return breaker.Name{Scope: breaker.Host}
	}
	return breaker.Name{Tenant: r.Tenant, Scope: r.Scope}
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
