package tasks

import (
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// foreignPrefix begins the name under which a task with a foreign ID is stored and logged. A digest
// of the ID follows. It is the ID of no task.
const foreignPrefix = "foreign-"

// IsForeignID reports whether id is the name of a dead letter whose task another program wrote.
func IsForeignID(id string) bool {
	digest, ok := strings.CutPrefix(id, foreignPrefix)
	_, valid := phi.Ref(digest).Bytes()
	return ok && valid
}

// shown returns the parts of a delivery that may be stored and logged. A task that another program
// wrote may hold a name or a record in any part: unless the ID has our form and the payload
// is sealed, only a kind remains that has a worker, and the ID or its digest.
func (r *Router) shown(d Delivery) Delivery {
	d.Headers = knownHeaders(d.Headers)
	if !validKind(d.Kind) {
		d.Kind = ""
	}
	_, err := queue.ParseID(d.ID)
	if err == nil && phi.IsSealed(d.Payload) {
		return d
	}
	if err != nil {
		d.ID = foreignPrefix + string(r.keys.For("").Ref("foreign task", d.ID))
	}
	if _, ok := r.routes[d.Kind]; !ok {
		d.Kind = ""
	}
	d.Headers, d.Payload = nil, nil
	return d
}

// DeadLetterOf returns the dead letter of a task that did not die in a router, such as one that an
// operator archived. It has the task ID that Bury would have received.
func (r *Router) DeadLetterOf(d Delivery, code Code, diedAt time.Time) DeadLetter {
	s := r.shown(d)
	h, _ := readHeaders(s.Headers)
	return DeadLetter{
		TaskID: s.ID, Tenant: h.tenant.String(), Kind: s.Kind, Lane: s.Lane, Code: code, Attempts: s.Failed,
		EnqueuedAt: h.enqueuedAt, DiedAt: diedAt, Payload: s.Payload, Headers: s.Headers,
	}
}

// spelledAs is the form of each header's value.
var spelledAs = map[string]func(string) bool{
	headerTenant:     func(s string) bool { _, err := tenant.Parse(s); return err == nil },
	headerVersion:    isNumber,
	headerKey:        isNumber,
	headerEnqueuedAt: func(s string) bool { _, err := time.Parse(time.RFC3339Nano, s); return err == nil },
	headerTrace:      func(s string) bool { return strings.Trim(s, "0123456789abcdef-") == "" },
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
