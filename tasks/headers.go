package tasks

import (
	"errors"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Names of the headers, which testdata/wire.golden freezes.
const (
	headerTenant     = queue.HeaderTenant
	headerVersion    = "v"
	headerKey        = "key"
	headerEnqueuedAt = queue.HeaderEnqueuedAt
	headerTrace      = "traceparent"
)

var headerNames = []string{headerTenant, headerVersion, headerKey, headerEnqueuedAt, headerTrace}

// maxHeader is the length of the longest header value in bytes that is passed on.
const maxHeader = 128

var errHeader = errors.New("malformed headers")

// headers are the decoded headers of a task.
type headers struct {
	tenant     tenant.ID
	version    int
	enqueuedAt time.Time
	key        string // ID of the sealing key; empty if the header is not the ID of any key
}

func readHeaders(raw map[string]string) (headers, error) {
	id, err := tenant.Parse(raw[headerTenant])
	if err != nil {
		return headers{}, errHeader
	}
	v := raw[headerVersion]
	version, err := strconv.ParseUint(v, 10, 31)
	if err != nil || version == 0 || v[0] == '0' {
		return headers{tenant: id}, errHeader
	}
	at, err := time.Parse(time.RFC3339Nano, raw[headerEnqueuedAt])
	if err != nil {
		return headers{tenant: id}, errHeader
	}
	return headers{tenant: id, version: int(version), enqueuedAt: at.UTC(), key: keyID(raw[headerKey])}, nil
}

// keyID returns s if it is spelled as the ID of a key, else "".
func keyID(s string) string {
	if id, err := strconv.ParseUint(s, 10, 32); err != nil || strconv.FormatUint(id, 10) != s {
		return ""
	}
	return s
}

// knownHeaders returns a copy with only the headers of this package whose values have the form that
// it writes. Other programs may write to Redis, and what they add must not reach logs and the
// ledger.
func knownHeaders(headers map[string]string) map[string]string {
	out := make(map[string]string, len(headerNames))
	for _, name := range headerNames {
		if v, ok := headers[name]; ok && len(v) <= maxHeader && spelledAs[name](v) {
			out[name] = v
		}
	}
	return out
}
