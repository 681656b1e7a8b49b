package tasks

import (
	"errors"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Names of the headers. Frozen: see testdata/wire.golden.
const (
	headerTenant     = queue.HeaderTenant
	headerVersion    = "v"
	headerKey        = "key"
	headerEnqueuedAt = queue.HeaderEnqueuedAt
	headerTrace      = "traceparent"
)

var headerNames = []string{headerTenant, headerVersion, headerKey, headerEnqueuedAt, headerTrace}

// maxHeader is the longest value in bytes. A longer one is left out when
// headers are carried on.
const maxHeader = 128

var errHeader = errors.New("malformed headers")

// head is what the headers say.
type head struct {
	tenant     tenant.ID
	version    int
	enqueuedAt time.Time
}

func readHead(headers map[string]string) (head, error) {
	id, err := tenant.Parse(headers[headerTenant])
	if err != nil {
		return head{}, errHeader
	}
	v := headers[headerVersion]
	version, err := strconv.ParseUint(v, 10, 31)
	if err != nil || version == 0 || v[0] == '0' {
		return head{tenant: id}, errHeader
	}
	at, err := time.Parse(time.RFC3339Nano, headers[headerEnqueuedAt])
	if err != nil {
		return head{tenant: id}, errHeader
	}
	return head{tenant: id, version: int(version), enqueuedAt: at.UTC()}, nil
}

// knownHeaders copies the headers of ours, so that nothing else that somebody
// wrote into Redis goes on to logs and tables.
func knownHeaders(headers map[string]string) map[string]string {
	out := make(map[string]string, len(headerNames))
	for _, name := range headerNames {
		if v, ok := headers[name]; ok && len(v) <= maxHeader {
			out[name] = v
		}
	}
	return out
}
