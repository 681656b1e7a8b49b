package flow

import "github.com/workflow-bolt/rounds/integrations/tebra"

// outcome is what one attempt means to one kind of breaker.
type outcome uint8

const (
	ignored   outcome = iota // not counted; a probe releases its permission
	reachable                // not counted, but proves to a probe that what the breaker guards works
	success                  // counted as a success
	failure                  // counted as a failure
)

// outcomes maps the code of an attempt that was sent to its meaning. A code that is not listed is
// ignored: a malformed response, for example, says nothing about other records.
var outcomes = map[scopeKind]map[tebra.Code]outcome{
	hostScope: {
		"": success, tebra.Unavailable: failure, tebra.Timeout: failure,
		tebra.Throttled: reachable, tebra.Unauthenticated: reachable, tebra.Locked: reachable, tebra.Denied: reachable, tebra.Invalid: reachable,
		tebra.NotFound: reachable, tebra.Merged: reachable, tebra.Conflict: reachable,
	},
	operationScope: {
		"": success, tebra.Unavailable: failure, tebra.Timeout: failure, tebra.Unknown: failure,
		tebra.Denied: reachable, tebra.Invalid: reachable, tebra.NotFound: reachable, tebra.Merged: reachable,
		tebra.Conflict: reachable,
	},
	credentialScope: {
		"": success, tebra.Unauthenticated: failure, tebra.Locked: failure,
		tebra.Denied: reachable, tebra.Invalid: reachable, tebra.NotFound: reachable, tebra.Merged: reachable,
		tebra.Conflict: reachable,
	},
}

// classify returns what an attempt means to one kind of breaker. An attempt that was not sent
// counts for the host only: an unreachable vendor is down.
func classify(kind scopeKind, o tebra.Outcome) outcome {
	if o.Void || o.NotSent && kind != hostScope {
		return ignored
	}
	return outcomes[kind][o.Code]
}
