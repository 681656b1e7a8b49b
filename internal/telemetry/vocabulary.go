package telemetry

import "strings"

// invalid replaces a value whose spelling its key does not allow; dropped replaces the value of a
// key outside the vocabulary.
const (
	invalid = "[invalid]"
	dropped = "[dropped]"
)

// Longest values, in bytes. A longer stack is cut, because its top is the most useful part.
const (
	wordLimit  = 96
	textLimit  = 300
	stackLimit = 8 << 10
	refLength  = 26
)

// spelling is the form that the value of a key must have.
type spelling int

const (
	// unknown is the spelling of keys outside the vocabulary: no value passes.
	unknown spelling = iota
	// word is a name that the code defines: letters, digits and a few separators.
	word
	// alias is a tenant's ID, or a name chosen under the same rules.
	alias
	// ref is a keyed digest in lower-case base32.
	ref
	// figure is a count, a size, a duration or a time.
	figure
	// prose is a short text. The rule for error texts keeps it free of PHI: codes, refs and
	// addresses of our own servers.
	prose
	// stack is a goroutine's stack, which holds function names and no data.
	stack
)

// vocabulary holds every key that a span, a metric or a log line may carry. A key has one meaning
// everywhere, so that a reader of a span finds the log lines under the same key. When you add one,
// choose the narrowest spelling. A key that could hold a person's name or number does not belong
// here.
var vocabulary = map[string]spelling{
	// Actors and objects.
	"tenant": alias, "practice": ref, "ref": ref,
	// The login name of an operator, chosen to appear in logs.
	"operator": alias,
	// The name of an API key, chosen by an operator.
	"caller": alias,
	"kind":   word, "lane": word, "task": word, "schedule": word, "event": word,
	"operation": word, "class": word, "view": word, "window": word, "step": word, "route": word,
	"binary": word, "component": word, "worker": word, "role": word, "store": word, "check": word,
	"version": word, "environment": word, "dialect": word, "mode": word, "signal": word,

	// Outcomes.
	"code": word, "outcome": word, "reason": word, "state": word, "policy": word,
	"status": word, "scope": word, "ok": word, "expected": word, "found": word,

	// Quantities and times.
	"attempt": figure, "attempts": figure, "age": figure, "at": figure, "bytes": figure,
	"changed": figure, "count": figure, "crashes": figure, "depth": figure, "due": figure,
	"duration": figure, "generation": figure, "in_flight": figure, "limit": figure, "next": figure,
	"pages": figure, "pid": figure, "port": figure, "practices": figure, "rows": figure,
	"since": figure, "size": figure, "slots": figure, "tasks": figure, "tenants": figure,
	"tick": figure, "until": figure, "wait": figure, "wait_ms": figure, "workers": figure,

	// Bounded texts. Addresses and files are those of our own processes.
	"error": prose, "addr": prose, "file": prose, "redis": prose, "ledger": prose, "endpoint": prose,
	"stack": stack,
}

// clean returns the value if it has this spelling, else its placeholder.
func (s spelling) clean(value string) string {
	switch s {
	case word:
		return only(value, wordLimit, isWordByte)
	case alias:
		return only(value, 40, isAliasByte)
	case ref:
		if len(value) != refLength {
			return invalid
		}
		return only(value, refLength, isBase32Byte)
	case prose:
		return cut(value, textLimit)
	case stack:
		return cut(value, stackLimit)
	case figure:
		return invalid
	default:
		return dropped
	}
}

func only(value string, limit int, allowed func(byte) bool) string {
	if value == "" || len(value) > limit {
		return invalid
	}
	for i := range len(value) {
		if !allowed(value[i]) {
			return invalid
		}
	}
	return value
}

func isAliasByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-'
}

func isBase32Byte(c byte) bool {
	return 'a' <= c && c <= 'z' || '2' <= c && c <= '7'
}

func isWordByte(c byte) bool {
	return isAliasByte(c) || 'A' <= c && c <= 'Z' || strings.IndexByte("._:/+", c) >= 0
}

func cut(value string, limit int) string {
	if len(value) <= limit {
		return value
	}
	return strings.ToValidUTF8(value[:limit], "") + "…"
}
