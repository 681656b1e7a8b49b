package flow

import "time"

// Reason is why a caller was refused.
type Reason string

// The reasons.
const (
	PaceReason     Reason = "pace"     // the account's budget for the operation is spent for now
	BlockedReason  Reason = "blocked"  // the operation rests after a throttle answer
	BreakerReason  Reason = "breaker"  // the breaker of the host, a class of operations or the credentials is open
	InFlightReason Reason = "inflight" // the tenant has as many calls in flight as it may
	RedisReason    Reason = "redis"    // the budget cannot be read
)

// Refused is the error of a call that must wait. The call was not sent and may be repeated after NotBefore.
type Refused struct {
	Reason Reason
	Scope  string    // of the breaker: host, credential, or the class; empty for other reasons
	until  time.Time // this process's clock
}

// Error returns the reason and the breaker's scope.
func (r *Refused) Error() string {
	if r.Scope != "" {
		return "not now: " + string(r.Reason) + " " + r.Scope
	}
	return "not now: " + string(r.Reason)
}

// NotBefore returns when to try again, and the reason. Other packages recognize a refusal by this method.
func (r *Refused) NotBefore() (time.Time, string) { return r.until, string(r.Reason) }
