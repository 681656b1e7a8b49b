package tebra

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// classifyTrouble classifies the texts that report trouble at the vendor: not of the request, and
// not of the login. It returns "" for all other texts. A fault that the vendor's deserializer
// returns quotes the request, so that its text proves nothing.
//
// Besides throttling, the texts are those of .NET and SQL Server, on which the vendor's service
// runs.
func classifyTrouble(meta *metadata) (Code, string) {
	text := strings.ToLower(meta.message)
	if isThrottleText(text) {
		return Throttled, throttleReason(meta)
	}
	if code, _ := classifyFault(meta.faultCode); meta.faultCode != "" && code == Invalid {
		return "", ""
	}
	for _, t := range troubles {
		if containsAny(text, t.texts) && !containsAny(text, t.except) {
			return t.code, t.reason
		}
	}
	return "", ""
}

// trouble is one kind of trouble, known by parts of texts in lower case.
type trouble struct {
	code   Code
	reason string
	texts  []string
	except []string
}

// troubles is searched in order.
var troubles = []trouble{
	// The transaction was undone.
	{Unavailable, "deadlock", []string{"deadlock", "snapshot isolation transaction aborted"}, nil},
	{
		Locked, "",
		[]string{
			"locked out", "lockout", "account is locked", "account has been locked", "account is temporarily locked", "account was locked",
			"user is locked", "user has been locked", "login is locked", "login has been locked", "too many failed login", "too many login attempts",
			"too many failed attempts", "too many invalid login",
		},
		[]string{"patient", "locked by"}, // a record that another user has open
	},
	{
		Unavailable, "overload",
		[]string{
			"too busy", "server is busy", "server busy", "overload", "connection from the pool", "max pool size", "try again later",
			"temporarily unavailable", "service is unavailable", "service unavailable", "currently unavailable", "outofmemory",
			"insufficient memory", "insufficient system memory", "under maintenance", "scheduled maintenance",
		},
		nil,
	},
	// What the vendor's service says about its own database. One of the texts is "The server was
	// not found", another "Login failed for user".
	{
		Unavailable, "database",
		[]string{
			"sql server", "transport-level error", "network-related", "login failed for user", "cannot open database",
			"thread was being aborted", "connection was forcibly closed", "connection was closed",
		},
		nil,
	},
	// A statement that was sent may have taken effect.
	{Timeout, "text", []string{"timeout expired", "timeout period elapsed", "timed out", "execution timeout", "request timeout", "timeoutexception"}, nil},
}

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

func isThrottleText(text string) bool {
	after, ok := strings.CutPrefix(strings.TrimSpace(text), "429")
	return ok && (after == "" || after[0] < '0' || after[0] > '9') ||
		containsAny(text, []string{"requested more than allowed", "too many requests", "rate limit"})
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
