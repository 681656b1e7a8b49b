package flow

import "github.com/workflow-bolt/rounds/integrations/tebra"

// verdict is what one outcome says to one kind of breaker.
type verdict uint8

const (
	silent   verdict = iota // nothing: not counted, and a probe gives its permission back
	answered                // not counted, but proves to a probe that what the breaker guards works
	good                    // counted as a success
	bad                     // counted as a failure
)

// verdicts says by code what an attempt that was sent means to each breaker. A code that is not listed is silent.
var verdicts = map[scopeKind]map[tebra.Code]verdict{
	hostScope: {
		"": good, tebra.Unavailable: bad, tebra.Timeout: bad,
		tebra.Throttled: answered, tebra.Unauthenticated: answered, tebra.Denied: answered, tebra.Invalid: answered,
		tebra.NotFound: answered, tebra.Conflict: answered,
	},
	classScope: {
		"": good, tebra.Unavailable: bad, tebra.Timeout: bad, tebra.Malformed: bad, tebra.Unknown: bad,
		tebra.Denied: answered, tebra.Invalid: answered, tebra.NotFound: answered, tebra.Conflict: answered,
	},
	credentialScope: {
		"": good, tebra.Unauthenticated: bad,
		tebra.Denied: answered, tebra.Invalid: answered, tebra.NotFound: answered, tebra.Conflict: answered,
	},
}

// judge looks an outcome up. What was not sent says nothing but to the host: a vendor that cannot be reached is down.
func judge(kind scopeKind, o tebra.Outcome) verdict {
	if o.Void || o.NotSent && kind != hostScope {
		return silent
	}
	return verdicts[kind][o.Code]
}
