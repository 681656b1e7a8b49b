package flow

import "time"

// Reason says why a caller was refused.
type Reason string

// The reasons.
const (
	PaceReason     Reason = "pace"     // the account's budget for the operation is spent for now
	BlockedReason  Reason = "blocked"  // the vendor throttled the operation a moment ago
	BreakerReason  Reason = "breaker"  // host, class of operations or credentials do not work at the moment
	InFlightReason Reason = "inflight" // the tenant has as many calls under way as it may
	RedisReason    Reason = "redis"    // the budget cannot be asked
)

// Refused means "not now". It costs its caller nothing but time, and says how much.
type Refused struct {
	Reason Reason
	Scope  string    // which breaker: host, credential, or the class; empty for other reasons
	until  time.Time // this process's clock
}

// Error returns the reason and the breaker.
func (r *Refused) Error() string {
	if r.Scope != "" {
		return "not now: " + string(r.Reason) + " " + r.Scope
	}
	return "not now: " + string(r.Reason)
}

// NotBefore returns when to come back, and the reason. It is how other packages recognise a refusal.
func (r *Refused) NotBefore() (time.Time, string) { return r.until, string(r.Reason) }
