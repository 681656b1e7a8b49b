package telemetry

import "strings"

// invalid stands for a value whose spelling its key does not allow, dropped
// for the value of a key that is not in the vocabulary.
const (
	invalid = "[invalid]"
	dropped = "[dropped]"
)

// Longest values, in bytes. A stack is cut, not refused: its top tells most.
const (
	wordLimit  = 96
	textLimit  = 300
	stackLimit = 8 << 10
	refLength  = 26
)

// spelling says what the value of one key may look like.
type spelling int

const (
	// unknown is the spelling of keys outside the vocabulary: nothing passes.
	unknown spelling = iota
	// word is a name given in code: letters, digits and a few separators.
	word
	// alias is a tenant's ID.
	alias
	// ref is a keyed digest in lower-case base32.
	ref
	// figure is a count, a size, a duration or a time.
	figure
	// prose is a short text that the house's rule for error texts keeps clean:
	// codes, refs and addresses of our own servers.
	prose
	// stack is a goroutine's stack, which holds names of functions and no data.
	stack
)

// vocabulary holds every key that a span, a metric or a log line may carry.
// A key means the same everywhere, so that a reader of a span finds the log
// lines by the same word. To add one, choose the narrowest spelling; a key
// that could hold a person's name or number does not belong here.
var vocabulary = map[string]spelling{
	// Who and what.
	"tenant": alias, "practice": ref, "ref": ref,
	// The login name of one of our own operators, who chose it for this.
	"operator": alias,
	// The name that an operator gave to an API key.
	"caller": alias,
	"kind":   word, "lane": word, "task": word, "schedule": word, "event": word,
	"operation": word, "class": word, "view": word, "window": word, "step": word, "route": word,
	"binary": word, "component": word, "worker": word, "role": word, "check": word,
	"version": word, "environment": word, "dialect": word, "mode": word, "signal": word,

	// How it went.
	"code": word, "outcome": word, "reason": word, "state": word, "policy": word,
	"status": word, "scope": word, "ok": word, "expected": word, "found": word,

	// How much and how long.
	"attempt": figure, "attempts": figure, "age": figure, "at": figure, "bytes": figure,
	"changed": figure, "count": figure, "crashes": figure, "depth": figure, "due": figure,
	"duration": figure, "generation": figure, "in_flight": figure, "limit": figure, "next": figure,
	"pages": figure, "pid": figure, "port": figure, "practices": figure, "rows": figure,
	"since": figure, "size": figure, "slots": figure, "tasks": figure, "tenants": figure,
	"tick": figure, "until": figure, "wait": figure, "wait_ms": figure, "workers": figure,

	// Texts, bounded. Addresses and files are those of our own processes.
	"error": prose, "addr": prose, "file": prose, "redis": prose, "ledger": prose, "endpoint": prose,
	"stack": stack,
}

// clean returns the value when it is spelt as the key demands, or what stands
// for it.
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
