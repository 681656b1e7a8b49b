package tebra

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// classifyTrouble classifies the texts that report trouble at the vendor: not of the request, and
// not of the login. It returns "" for all other texts. A fault that the vendor's deserializer
// returns quotes the request, so that its text proves nothing but the vendor's own throttling.
//
// Besides throttling, the texts are those of .NET and SQL Server, on which the vendor's service
// runs.
func classifyTrouble(meta *metadata) (Code, string) {
	text := strings.ToLower(meta.message)
	code, _ := classifyFault(meta.faultCode)
	quotes := meta.faultCode != "" && code == Invalid
	switch {
	case isVendorThrottle(text), !quotes && isOtherThrottle(text):
		return Throttled, throttleReason(meta)
	case quotes:
		return "", ""
	case isLockOut(text):
		return Locked, ""
	}
	for _, t := range troubles {
		if t.matches(text) {
			return t.code, t.reason
		}
	}
	return "", ""
}

// trouble is one kind of trouble, known by parts of texts in lower case.
type trouble struct {
	code    Code
	reason  string
	texts   []string
	pattern *regexp.Regexp // nil if texts suffice
	except  *regexp.Regexp // nil if there is no exception
}

func (t *trouble) matches(text string) bool {
	return (containsAny(text, t.texts) || t.pattern != nil && t.pattern.MatchString(text)) && (t.except == nil || !t.except.MatchString(text))
}

// troubles is searched in order.
var troubles = []trouble{
	// The transaction was undone.
	{code: Unavailable, reason: "deadlock", texts: []string{"deadlock", "snapshot isolation transaction aborted"}},
	{
		code: Unavailable, reason: "overload",
		texts: []string{
			"too busy", "server busy", "overload", "connection from the pool", "max pool size", "returned an error: (500)",
			"returned an error: (502)", "returned an error: (503)", "outofmemory", "insufficient memory", "insufficient system memory",
			"unable to handle the request", "under maintenance", "scheduled maintenance",
		},
		pattern: busyService,
	},
	// What the vendor's service says about its own database. One of the texts is "The server was
	// not found", another "Login failed for user".
	{
		code: Unavailable, reason: "database",
		texts: []string{
			"sql server", "transport-level error", "network-related", "login failed for user", "cannot open database",
			"thread was being aborted", "connection was forcibly closed", "connection was closed",
		},
	},
	// A statement that was sent may have taken effect.
	{
		code: Timeout, reason: "text",
		texts: []string{
			"timeout expired", "timeout period elapsed", "timed out", "execution timeout", "request timeout", "request time out",
			"request time-out", "gateway timeout", "gateway time-out", "timeoutexception",
		},
	},
	{code: Unavailable, reason: "overload", texts: []string{"try again later"}, except: requested},
}

// requested matches texts about what a request asks for, which "try again later" follows too.
var requested = regexp.MustCompile(`\b(providers?|rooms?|locations?|slots?)\b|\b(the|this|that|a|selected|requested) resources?\b`)

// busyService matches texts about the vendor's own systems. Others are about what a request asks
// for: a provider or a room that is unavailable does not become available by itself.
var busyService = regexp.MustCompile(`\b((service|server|system|database|application|api|web ?site|site)s?|tebra|kareo|we)` +
	`( \([^()]*\))?( (is|are|was|has been))?( (currently|temporarily|presently|momentarily|too|very))? (busy|unavailable|not available|offline)\b`)

// quoted matches values of a request that a message repeats. An apostrophe begins none.
var quoted = regexp.MustCompile(`"[^"]*"|(^|[\s(:=])'[^']*'`)

// lockOuts are texts of a locked login, whatever else they say.
var lockOuts = []string{"locked out", "locked-out", "failed login", "login attempts", "failed log-in", "invalid login attempt"}

// loginFailures matches a sentence about a login and what locks it.
var loginFailures = regexp.MustCompile(`\b(accounts?|users?|username|login|logon|log-in|sign-in|password)\b[^.!?;\n]*\b(lockout|failed attempts)\b` +
	`|\b(lockout|failed attempts)\b[^.!?;\n]*\b(accounts?|users?|username|login|logon|log-in|sign-in|password)\b`)

// lockedLogin matches a sentence about a login that is locked. A full stop within a name does not
// end the sentence.
var lockedLogin = regexp.MustCompile(`([^.!?;\n]|\.\S)*\b(accounts?|users?|username|login|logon|log-in)\b([^.!?;\n]|\.\S)*\blocked\b([^.!?;\n]|\.\S)*`)

// bySystem matches what locks a login, and not a record that it has open.
var bySystem = regexp.MustCompile(`\blocked by (the |an |your )?(system|administrator)\b`)

// isLockOut reports whether a lower-case text says that the login is locked. A record that another
// user has open is locked too, which concerns that record only.
func isLockOut(text string) bool {
	text = quoted.ReplaceAllString(text, "")
	if containsAny(text, lockOuts) || loginFailures.MatchString(text) {
		return true
	}
	for _, sentence := range lockedLogin.FindAllString(bySystem.ReplaceAllString(text, "locked"), -1) {
		if strings.Contains(sentence, "attempts") || !containsAny(sentence, lockedRecords) {
			return true
		}
	}
	return false
}

// lockedRecords are parts of texts about a record that is locked.
var lockedRecords = []string{"patient", "appointment", "record", "encounter", "chart", "claim", "schedule", "locked by", "locked this", "locked the", "another user"}

func containsAny(text string, parts []string) bool {
	return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
}

// throttleReason distinguishes a throttle text in a fault from one in an ordinary response.
func throttleReason(meta *metadata) string {
	if meta.faultCode != "" {
		return "fault"
	}
	return ""
}

// isVendorThrottle reports whether a lower-case text is the one of the vendor's own throttle.
func isVendorThrottle(text string) bool {
	after, ok := strings.CutPrefix(strings.TrimSpace(text), "429")
	return ok && (after == "" || after[0] < '0' || after[0] > '9') || strings.Contains(text, "requested more than allowed")
}

// isOtherThrottle reports whether a lower-case text is one of another throttle.
func isOtherThrottle(text string) bool {
	return strings.Contains(text, "too many requests") || strings.Contains(strings.ReplaceAll(text, "heart rate limit", ""), "rate limit")
}

// interval returns the interval that a throttle response names, or 0 if it names none.
func (r *response) interval() time.Duration { return throttleInterval(r.meta.message) }

// maxRetryAfter bounds what a Retry-After header may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads a Retry-After header, in seconds or as a date, which is compared with the
// response's own clock. It returns 0 if there is none, or one in the past.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if digits := strings.TrimLeft(text, "0123456789"); digits == "" {
		seconds := int64(0)
		for _, b := range []byte(text) {
			seconds = min(seconds*10+int64(b-'0'), int64(maxRetryAfter/time.Second))
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}
