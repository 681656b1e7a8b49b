package flow

import "github.com/workflow-bolt/rounds/integrations/tebra"

// verdict is what one outcome says to one kind of breaker.
type outcome uint8

const (
	ignored   outcome = iota // nothing: not counted, and a probe gives its permission back
	reachable                // not counted, but proves to a probe that what the breaker guards works
	success                  // counted as a success
	failure                  // counted as a failure
)

// verdicts says by code what an attempt that was sent means to each breaker. A code that is not listed is silent.
var outcomes = map[scopeKind]map[tebra.Code]outcome{
	hostScope: {
		"": success, tebra.Unavailable: failure, tebra.Timeout: failure,
		tebra.Throttled: reachable, tebra.Unauthenticated: reachable, tebra.Denied: reachable, tebra.Invalid: reachable,
		tebra.NotFound: reachable, tebra.Conflict: reachable,
	},
	classScope: {
		"": success, tebra.Unavailable: failure, tebra.Timeout: failure, tebra.Malformed: failure, tebra.Unknown: failure,
		tebra.Denied: reachable, tebra.Invalid: reachable, tebra.NotFound: reachable, tebra.Conflict: reachable,
	},
	credentialScope: {
		"": success, tebra.Unauthenticated: failure,
		tebra.Denied: reachable, tebra.Invalid: reachable, tebra.NotFound: reachable, tebra.Conflict: reachable,
	},
}

// judge looks an outcome up. What was not sent says nothing but to the host: a vendor that cannot be reached is down.
func classify(kind scopeKind, o tebra.Outcome) outcome {
	if o.Void || o.NotSent && kind != hostScope {
		return ignored
	}
	return outcomes[kind][o.Code]
}
